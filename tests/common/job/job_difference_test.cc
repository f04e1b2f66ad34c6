#include "common/job/job_difference.h"

#include "common/job/job_fields.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Keys(const JobConfig& first, const JobConfig& second) {
  std::vector<std::string> keys;
  for (const JobDifference& each : RunDifferences(first, second)) keys.push_back(each.key);
  return keys;
}

JobConfig Job() {
  JobConfig job;
  job.name = "a";
  job.model.path = "/m";
  job.output = "/o";
  job.data.train = {"/d"};
  job.sae = {{"/s", 3, "resid_post"}};
  return job;
}

TEST(JobDifference, WhatDecidesNoNumberMayDiffer) {
  JobConfig other = Job();
  other.name = "b";
  other.output = "/p";
  other.labels = {{"team", "x"}};
  other.resources.slots = 4;
  other.retry.max_restarts = 9;
  other.checkpoint.every_steps = 1;
  other.evaluate.pairs = 8;
  other.reference.share = "private";
  other.max_steps = 99;
  other.epochs = 3;
  other.batch.tokens_per_microbatch = 100;
  other.activation_checkpointing_layers = 3;
  EXPECT_THAT(Keys(Job(), other), IsEmpty());
}

// Agents keep what URLs stand for below folders named after it.
TEST(JobDifference, WhereAnAgentKeepsAnInputDecidesNothing) {
  const std::string content(64, 'a');
  JobConfig first = Job(), other = Job();
  first.data.train = {"/w1/inputs/trees/" + content + "/a", "/w1/inputs/trees/" + content + "/b"};
  other.data.train = {"/w2/inputs/trees/" + content + "/a", "/w2/inputs/trees/" + content + "/b"};
  first.model.path = "/h1/models--org--name/snapshots/0123";
  other.model.path = "/h2/models--org--name/snapshots/0123";
  EXPECT_THAT(Keys(first, other), IsEmpty());
  other.data.train[1] = "/w2/inputs/trees/" + std::string(64, 'b') + "/b";
  other.model.path = "/h2/models--org--name/snapshots/4567";
  EXPECT_THAT(Keys(first, other), ElementsAre("model.path", "data.train"));
}

std::vector<std::string> KeysOf(const std::vector<JobDifference>& differences) {
  std::vector<std::string> keys;
  for (const JobDifference& each : differences) keys.push_back(each.key);
  return keys;
}

// What is at another path may be the same: only fpo-train can tell.
TEST(JobDifference, PathsDecideByWhatIsThere) {
  JobConfig first = Job(), other = Job();
  first.data.template_name = "/a/x.jinja";
  first.method.feature_weights = "/w";
  other.model.path = other.reference.path = "/moved/m";
  first.reference.path = "/m";
  other.data.train = {"/moved/d"};
  other.data.template_name = "/moved/x.jinja";
  other.sae[0].path = "/moved/s";
  other.method.feature_weights = "/moved/w";
  EXPECT_EQ(Keys(first, other).size(), 6u);
  EXPECT_THAT(DecidingDifferences(first, other), IsEmpty());
  other.batch.tokens_per_microbatch = 100;
  EXPECT_EQ(NotedDifferences(first, other).size(), 7u);
  other.data.template_name = "gemma";
  EXPECT_THAT(KeysOf(DecidingDifferences(first, other)), ElementsAre("data.template"));
  other.sae.clear();
  EXPECT_THAT(KeysOf(DecidingDifferences(first, other)), ::testing::Contains("sae.path"));
}

TEST(JobDifference, WhatChangesTheComputingIsNoted) {
  JobConfig other = Job();
  other.batch.tokens_per_microbatch = 100;
  other.activation_checkpointing = true;
  other.activation_checkpointing_layers = 3;
  other.resources.slots = 2;
  EXPECT_THAT(KeysOf(NotedDifferences(other, Job())),
              ElementsAre("batch.tokens_per_microbatch", "activation_checkpointing",
                          "activation_checkpointing_layers"));
  EXPECT_THAT(NotedDifferences(Job(), Job()), IsEmpty());
}

TEST(JobDifference, UnderADecayTheNumberOfStepsDecides) {
  JobConfig first = Job(), second = Job();
  first.schedule.name = second.schedule.name = "cosine";
  second.max_steps = 99;
  second.epochs = 2;
  EXPECT_THAT(Keys(first, second), ElementsAre("epochs", "max_steps"));
}

TEST(JobDifference, EachKeyIsNamedWithBothValues) {
  JobConfig other = Job();
  other.optimizer.lr = 1e-5;
  other.data.train = {"/d", "/e"};
  const auto differences = RunDifferences(other, Job());
  EXPECT_THAT(Keys(other, Job()), ElementsAre("data.train", "optimizer.lr"));
  EXPECT_EQ(DescribeDifferences(differences, "here", "in the folder"),
            "data.train: [\"/d\", \"/e\"] here, [\"/d\"] in the folder; "
            "optimizer.lr: 1e-05 here, 5e-07 in the folder");
}

TEST(JobDifference, OfSeveralSaesEachIsCompared) {
  JobConfig other = Job();
  other.sae[0].layer = 4;
  EXPECT_THAT(Keys(Job(), other), ElementsAre("sae.layer"));
  other = Job();
  other.sae.clear();
  EXPECT_EQ(DescribeDifferences(RunDifferences(other, Job()), "here", "there").substr(0, 31),
            "sae.path: (absent) here, \"/s\" t");
}

TEST(JobDifference, ManyAreCounted) {
  JobConfig other = Job();
  other.seed = 1;
  other.method.beta = 3;
  other.method.alpha = 2;
  other.method.gamma = 2;
  other.optimizer.lr = 1;
  other.batch.pairs = 3;
  const std::string text = DescribeDifferences(RunDifferences(Job(), other), "here", "there");
  EXPECT_NE(text.find("; and 2 more"), std::string::npos) << text;
}

// A key that is added to the job file is compared unless it is named among the exceptions.
TEST(JobDifference, EveryOtherKeyIsCompared) {
  const std::vector<std::string> free = {"name",       "labels",   "output",    "resources",
                                         "retry",      "epochs",   "max_steps", "evaluate",
                                         "checkpoint", "features", "parallel"};
  JobConfig changed = Job();
  changed.method.constraint = "none";  // else it follows the method's name
  for (const JobEntry& entry : JobEntries(&changed)) {
    if (std::find(free.begin(), free.end(), entry.name) != free.end()) continue;
    for (const JobField& field : entry.fields) {
      const JobConfig before = changed;
      if (auto* const* number = std::get_if<int64_t*>(&field.slot)) ++**number;
      if (auto* const* number = std::get_if<double*>(&field.slot)) **number += 0.25;
      if (auto* const* flag = std::get_if<bool*>(&field.slot)) **flag = !**flag;
      if (auto* const* text = std::get_if<std::string*>(&field.slot)) **text += "x";
      if (auto* const* names = std::get_if<JobNames*>(&field.slot)) {
        (*names)->emplace_back("prompt", "x");
      }
      const std::string key = entry.kind == JobEntry::Kind::kField
                                  ? field.name
                                  : std::string(entry.name) + "." + field.name;
      const bool scalar = !std::holds_alternative<std::vector<std::string>*>(field.slot) &&
                          !std::holds_alternative<std::vector<double>*>(field.slot) &&
                          !std::holds_alternative<DataSection*>(field.slot) &&
                          !std::holds_alternative<std::vector<FeatureSetSection>*>(field.slot) &&
                          !std::holds_alternative<std::optional<double>*>(field.slot) &&
                          !std::holds_alternative<std::optional<int64_t>*>(field.slot);
      if (!scalar || key == "reference.share" || key == "schedule.name") continue;
      if (key == "batch.tokens_per_microbatch" || key == "activation_checkpointing") continue;
      if (key == "constraint.on_broken") continue;
      EXPECT_THAT(Keys(before, changed), ElementsAre(key));
    }
  }
}

}  // namespace
}  // namespace fpo
