#include "common/job/job_paths.h"

#include <filesystem>
#include <optional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using train::ScratchFolder;

class JobPathsTest : public ::testing::Test {
 protected:
  static std::optional<std::string> Variable(const std::string& name) {
    if (name == "HOME") return "/home/ada";
    if (name == "FPO_TEST_DATA") return "/data/prefs";
    return name == "FPO_TEST_EMPTY" ? std::optional<std::string>("") : std::nullopt;
  }
  static std::string Resolved(const std::string& path) {
    const auto whole = ResolvePath(path, "/jobs", Variable);
    return whole.ok() ? *whole : std::string(whole.status().message());
  }
};

TEST_F(JobPathsTest, HomeAndVariablesAreExpanded) {
  EXPECT_EQ(Resolved("~"), "/home/ada");
  EXPECT_EQ(Resolved("~/models/x"), "/home/ada/models/x");
  EXPECT_EQ(Resolved("$HOME/x"), "/home/ada/x");
  EXPECT_EQ(Resolved("${HOME}_old/x"), "/home/ada_old/x");
  EXPECT_EQ(Resolved("${FPO_TEST_DATA}/$FPO_TEST_DATA"), "/data/prefs/data/prefs");
  EXPECT_EQ(Resolved("/a/$FPO_TEST_DATA"), "/a/data/prefs");
}

TEST_F(JobPathsTest, RelativePathsLieBelowTheFolder) {
  EXPECT_EQ(Resolved("m"), "/jobs/m");
  EXPECT_EQ(Resolved("./m/"), "/jobs/m");
  EXPECT_EQ(Resolved("../m"), "/m");
  EXPECT_EQ(Resolved("/m"), "/m");
  EXPECT_EQ(Resolved("a~b/5$"), "/jobs/a~b/5$");
}

TEST_F(JobPathsTest, UnknownVariablesAreErrorsThatNameThem) {
  EXPECT_THAT(Resolved("$FPO_TEST_UNSET/x"), HasSubstr("FPO_TEST_UNSET is not set"));
  EXPECT_THAT(Resolved("${FPO_TEST_EMPTY}/x"), HasSubstr("FPO_TEST_EMPTY is empty"));
  EXPECT_THAT(Resolved("${HOME/x"), HasSubstr("write ${NAME}"));
  EXPECT_THAT(Resolved("~bob/x"), HasSubstr("~bob is not expanded"));
}

TEST_F(JobPathsTest, ANameThatExistsIsTakenAsItIs) {
  const ScratchFolder folder;
  folder.Put("$FPO_TEST_DATA/x", "");
  folder.Put("~tilde", "");
  EXPECT_EQ(*ResolvePath("$FPO_TEST_DATA/x", folder.path(), Variable), folder / "$FPO_TEST_DATA/x");
  EXPECT_EQ(*ResolvePath("~tilde", folder.path(), Variable), folder / "~tilde");
}

TEST_F(JobPathsTest, EveryPathOfAJudge) {
  JobConfig config;
  config.kind = "judge";
  config.judge.outputs = "o";
  config.judge.baseline = "b";
  config.judge.questions = "q";
  config.judge.references = "r";
  config.judge.prompt = "p";
  config.judge.length_control = "l";
  config.judge.ca_file = "c";
  config.judge.key_file = "~/k";
  config.judge.store = "s";
  config.judge.url = "https://host/v1";  // no path
  EXPECT_TRUE(ResolveJobPaths({"", "", "/jobs", {}, Variable}, &config).empty());
  std::vector<std::string> found, read;
  for (const JobPath& path : JobPaths(&config)) {
    found.push_back(*path.path);
    if (IsRead(config, path)) read.push_back(*path.path);
  }
  EXPECT_THAT(read, ElementsAre("/jobs/o", "/jobs/b", "/jobs/q", "/jobs/r", "/jobs/p", "/jobs/l",
                                "/jobs/c", "/home/ada/k"));
  EXPECT_EQ(found.size(), read.size() + 1);
  EXPECT_EQ(found.back(), "/jobs/s");
  EXPECT_EQ(config.judge.url, "https://host/v1");
}

// Every key of the field table that names a path is resolved.
TEST_F(JobPathsTest, EveryPathOfAJob) {
  JobConfig config;
  config.model.path = config.reference.path = "m";
  config.sae = {{"s", {}, ""}, {"~/t", {}, ""}};
  config.data.train = {"a", "$FPO_TEST_DATA/b"};
  config.data.eval = {"c"};
  config.data.template_name = "t.jinja";
  config.method.feature_weights = "w";
  config.constraint.sets.resize(2);
  config.constraint.sets[1].features_file = "f";
  config.features.explanations = "l";
  config.output = "${HOME}/out";
  EXPECT_TRUE(ResolveJobPaths({"", "", "/jobs", {}, Variable}, &config).empty());
  std::vector<std::string> found;
  for (const JobPath& path : JobPaths(&config)) found.push_back(path.key + " " + *path.path);
  EXPECT_THAT(
      found,
      ElementsAre("model.path /jobs/m", "reference.path /jobs/m", "sae.0.path /jobs/s",
                  "sae.1.path /home/ada/t", "data.train.0 /jobs/a", "data.train.1 /data/prefs/b",
                  "data.eval /jobs/c", "data.template /jobs/t.jinja",
                  "method.feature_weights /jobs/w", "constraint.sets.1.features_file /jobs/f",
                  "features.explanations /jobs/l", "output /home/ada/out"));
}

TEST_F(JobPathsTest, OnlyWhatTheJobReadsIsLookedFor) {
  const ScratchFolder folder;
  folder.Put("m/config.json", "{}");
  folder.Put("m/tokenizer.model", "");
  folder.Put("d.jsonl", "");
  JobConfig config;
  config.model.path = config.reference.path = folder / "m";
  config.sae = {{folder / "none", {}, ""}};
  config.data.train = {folder / "d.jsonl"};
  config.output = folder / "out";
  config.method.name = "dpo";
  config.reference.source = "cached";
  EXPECT_TRUE(MissingInputs(config, config).empty());
  config.method.name = "fpo";
  config.reference.path = folder / "r";
  config.data.eval = {folder / "e.jsonl"};
  std::vector<std::string> keys;
  for (const JobProblem& problem : MissingInputs(config, config)) keys.push_back(problem.key);
  EXPECT_THAT(keys, ElementsAre("reference.path", "sae.path", "data.eval"));
  // The feature report of any method reads the SAE and its labels.
  config.method.name = "dpo";
  config.reference.path = config.model.path;
  config.features.explanations = folder / "labels";
  keys.clear();
  for (const JobProblem& problem : MissingInputs(config, config)) keys.push_back(problem.key);
  EXPECT_THAT(keys, ElementsAre("sae.path", "data.eval", "features.explanations"));
  config.features.top = 0;
  ASSERT_EQ(MissingInputs(config, config).size(), 1u);
  EXPECT_EQ(MissingInputs(config, config)[0].key, "data.eval");
  config.reference.path = folder / "r";
  config.method.name = "simpo";
  config.reference.source = "none";
  config.data.eval.clear();
  config.data.template_name = folder / "t.jinja";
  ASSERT_EQ(MissingInputs(config, config).size(), 1u);
  EXPECT_EQ(MissingInputs(config, config)[0].key, "data.template");
  config.data.template_name = "halo";
  folder.Put("d/a.jsonl", "");
  folder.Put("e/README.md", "");
  for (const char* good : {"d", "d/*.jsonl", "?.jsonl"}) {
    config.data.train = {folder / good};
    EXPECT_TRUE(MissingInputs(config, config).empty()) << good;
  }
  for (const char* bad : {"e", "d/*.gz", "f"}) {
    config.data.train = {folder / bad};
    EXPECT_EQ(MissingInputs(config, config).size(), 1u) << bad;
  }
  config.data.train = {folder / "d.jsonl"};
  EXPECT_TRUE(MissingInputs(config, config).empty());
}

TEST_F(JobPathsTest, OnlyTextNeedsATokenizer) {
  const ScratchFolder folder;
  folder.Put("m/config.json", "{}");
  folder.Put("d.jsonl", "");
  JobConfig config;
  config.model.path = config.reference.path = folder / "m";
  config.data.train = {folder / "d.jsonl"};
  config.method.name = "dpo";
  const std::vector<JobProblem> problems = MissingInputs(config, config);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_THAT(problems[0].message, ::testing::HasSubstr("tokenizer.model or tokenizer.json"));
  config.data.format = "ids";
  EXPECT_TRUE(MissingInputs(config, config).empty());
}

}  // namespace
}  // namespace fpo
