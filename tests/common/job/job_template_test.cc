#include "common/job/job_template.h"

#include <regex>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/job/job_file.h"
#include "common/job/job_yaml.h"
#include "common/job/method_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::string>& Names() {
  static const std::vector<std::string> names = {
      "sft",  "dpo", "ln_dpo", "simpo",     "tdpo1",    "tdpo2",    "fpo",  "simpo_kl",
      "orpo", "kto", "sae",    "reference", "evaluate", "generate", "judge"};
  return names;
}

// The dotted keys that the text sets.
std::vector<std::string> KeysSet(const std::string& text) {
  std::vector<JobProblem> problems;
  const auto root = ParseJobYaml(text, &problems);
  std::vector<std::string> keys;
  for (const auto& [name, node] : root->members) {
    if (node.members.empty() && node.kind != JobNode::Kind::kNull) keys.push_back(name);
    for (const auto& [key, value] : node.members) keys.push_back(absl::StrCat(name, ".", key));
  }
  return keys;
}

// Without the comment sign of every "# key: value".
std::string Uncommented(const std::string& text) {
  static const std::regex kKey("^( *)# ([a-z_]+: .*)$");
  std::string out;
  for (const auto& line : absl::StrSplit(text, '\n')) {
    absl::StrAppend(&out, std::regex_replace(std::string(line), kKey, "$1$2"), "\n");
  }
  return out;
}

TEST(JobTemplate, EveryTemplateIsAValidJobWithoutAdvice) {
  for (const std::string& name : Names()) {
    const auto text = JobTemplate(name);
    ASSERT_TRUE(text.ok()) << name;
    const auto config = ReadJobYaml(*text, name);
    ASSERT_TRUE(config.ok()) << config.status() << "\n" << *text;
    for (const std::string& warning : JobWarnings(*config)) {
      EXPECT_THAT(warning, HasSubstr("data.eval is empty")) << name;
    }
  }
}

// What was not requested stays a comment: a reference, a dtype, an output folder.
TEST(JobTemplate, SetsOnlyWhatMustBeSet) {
  using ::testing::UnorderedElementsAre;
  EXPECT_THAT(KeysSet(*JobTemplate("fpo")),
              UnorderedElementsAre("name", "model.path", "sae.path", "data.train", "method.name"));
  EXPECT_THAT(KeysSet(*JobTemplate("dpo")),
              UnorderedElementsAre("name", "model.path", "data.train", "method.name"));
  EXPECT_THAT(
      KeysSet(*JobTemplate("sae")),
      UnorderedElementsAre("name", "kind", "model.path", "sae.layer", "sae.site", "data.train"));
  EXPECT_THAT(KeysSet(*JobTemplate("generate")),
              UnorderedElementsAre("name", "kind", "model.path", "generate.prompts"));
  EXPECT_THAT(
      KeysSet(*JobTemplate("judge")),
      UnorderedElementsAre("name", "kind", "model.path", "judge.outputs", "judge.baseline"));
  EXPECT_THAT(KeysSet(*JobTemplate("evaluate")),
              UnorderedElementsAre("name", "kind", "model.path", "data.eval", "method.name"));
}

TEST(JobTemplate, WhatMustBeSetStandsAtTheTop) {
  const std::string text = *JobTemplate("fpo");
  for (const char* key : {"\n  path: /path/to/model", "\n  train: ", "\n  name: fpo"}) {
    EXPECT_LT(text.find(key), text.find("\noptimizer:")) << key;
    EXPECT_EQ(text.find(key), text.rfind(key)) << key;
  }
}

// Taking the comment signs away changes no value, but for what only the user knows.
TEST(JobTemplate, CommentsAreTheDefaults) {
  for (const std::string& name : Names()) {
    const std::string text = *JobTemplate(name);
    const auto plain = ReadJobYaml(text, name);
    auto all = ReadJobYaml(Uncommented(text), name);
    ASSERT_TRUE(all.ok()) << all.status() << "\n" << Uncommented(text);
    all->labels.clear();
    all->data.eval = plain->data.eval;
    all->reference.path = plain->reference.path;
    all->method.feature_weights.clear();
    if (name != "sae") all->sae = plain->sae;
    EXPECT_EQ(WriteJobYaml(*all), WriteJobYaml(*plain)) << name;
  }
}

TEST(JobTemplate, SaysHowLongItTrainsAndWhereItRuns) {
  const std::string text = Uncommented(*JobTemplate("dpo"));
  for (const char* key : {"\nepochs: ", "\nmax_steps: ", "\nseed: ", "\n  slots: ",
                          "\n  max_restarts: ", "\nlabels:", "\noutput: runs/my-dpo"}) {
    EXPECT_THAT(text, HasSubstr(key));
  }
}

TEST(JobTemplate, HasOnlyKeysThatTheMethodReads) {
  for (const MethodInfo& method : Methods()) {
    const auto job = LoadJob({Uncommented(*JobTemplate(method.name)), "job.yaml", "/", {}});
    ASSERT_TRUE(job.ok()) << job.status();
    EXPECT_THAT(job->notes, ::testing::IsEmpty()) << method.name;
  }
  for (const char* name : {"generate", "judge"}) {
    const auto texts = LoadJob({Uncommented(*JobTemplate(name)), "job.yaml", "/", {}});
    ASSERT_TRUE(texts.ok()) << texts.status();
    EXPECT_THAT(texts->notes, ::testing::IsEmpty()) << name;
  }
  EXPECT_THAT(*JobTemplate("simpo"), Not(HasSubstr("top_k")));
  EXPECT_THAT(*JobTemplate("sae"), Not(HasSubstr("the model to train")));
}

TEST(JobTemplate, ChoicesAreSetOrOffered) {
  const auto text = JobTemplate(
      "fpo", {{"model.path", "/m", ""},
              {"method.alpha", "0.001",
               "D is large here, so that a larger alpha would leave "
               "nothing of the preference itself; look at divergence/* "
               "after some steps and choose again"},
              {"data.eval", "[/d/test.jsonl]", "it lies beside the training data", false}});
  const auto config = ReadJobYaml(*text, "job.yaml");
  ASSERT_TRUE(config.ok()) << *text;
  EXPECT_EQ(config->model.path, "/m");
  EXPECT_EQ(config->method.alpha, 0.001);
  EXPECT_TRUE(config->data.eval.empty());
  EXPECT_THAT(*text, HasSubstr("# eval: [/d/test.jsonl]"));
  EXPECT_THAT(*text, HasSubstr("# init chose: D is large here"));
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) EXPECT_LE(line.size(), 160u);
}

TEST(JobTemplate, AnUnknownNameListsTheKnownOnes) {
  const auto text = JobTemplate("ppo");
  EXPECT_EQ(text.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(text.status().message()), HasSubstr("simpo_kl"));
  EXPECT_EQ(TemplateMethod("reference"), "fpo");
  EXPECT_EQ(TemplateMethod("ppo"), "");
}

TEST(JobTemplate, TextIsQuotedWhereYamlWouldReadItAsSomethingElse) {
  EXPECT_EQ(YamlText("/data/träin-1.jsonl"), "/data/träin-1.jsonl");
  for (const char* text : {"/a b", "/a, b", "/a#b", "~", "", "-x", "/a: b", "/a'b\"c"}) {
    std::vector<JobProblem> problems;
    const auto root = ParseJobYaml(absl::StrCat("x: [", YamlText(text), "]"), &problems);
    ASSERT_TRUE(root.ok() && problems.empty()) << text;
    EXPECT_EQ(root->Find("x")->items.at(0).text, text);
  }
}

}  // namespace
}  // namespace fpo
