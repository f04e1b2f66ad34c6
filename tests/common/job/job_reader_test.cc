#include "common/job/job_reader.h"

#include "common/job/job_yaml.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

std::vector<JobProblem> ProblemsOf(const std::string& yaml, JobConfig* config) {
  std::vector<JobProblem> problems;
  const auto root = ParseJobYaml(yaml, &problems);
  if (root.ok()) ReadJobTree(*root, config, &problems);
  return problems;
}

struct Wrong {
  const char* yaml;
  const char* key;
  const char* says;
};

TEST(JobReader, NamesEveryKindOfMistake) {
  const Wrong wrongs[] = {
      {"epoch: 2", "epoch", "did you mean \"epochs\""},
      {"epochs: 010", "epochs", "whole number"},
      {"epochs: 1.5", "epochs", "whole number"},
      {"epochs: \"3\"", "epochs", "whole number"},
      {"epochs: 0", "epochs", "out of range"},
      {"optimizer: {lr: fast}", "optimizer.lr", "a number"},
      {"optimizer: {lr: .nan}", "optimizer.lr", "a number"},
      {"data: {shuffle: yes}", "data.shuffle", "true or false"},
      {"data: {template: llama}", "data.template", "auto, gemma, halo, none, nor a file *.jinja"},
      {"data: {train_on: all}", "data.train_on", "is not one of all_assistant_turns, last_turn"},
      {"data: {columns: [a]}", "data.columns", "mapping of names"},
      {"data: {columns: {promt: a}}", "data.columns.promt", "did you mean \"prompt\""},
      {"data: {columns: {prompt: [a]}}", "data.columns.prompt", "name of a column"},
      {"kind: guess", "kind", "is not one of train, reference, evaluate, generate, judge, sae"},
      {"method: fpo", "method", "must be a mapping"},
      {"sae: x", "sae", "must be a mapping"},
      {"data: {train: {a: b}}", "data.train", "list of words"},
      {"labels: [a]", "labels", "mapping"},
      {"labels: {a b: c}", "labels.a b", "a label's name is 1 to 63 of"},
      {"labels: {a: \"b\\nc\"}", "labels.a", "without control characters"},
      {"optimizer: {betas: 0.9}", "optimizer.betas", "list of numbers"},
  };
  for (const Wrong& wrong : wrongs) {
    JobConfig config;
    const auto problems = ProblemsOf(wrong.yaml, &config);
    ASSERT_EQ(problems.size(), 1u) << wrong.yaml;
    EXPECT_EQ(problems[0].key, wrong.key);
    EXPECT_NE(problems[0].message.find(wrong.says), std::string::npos) << problems[0].message;
    EXPECT_EQ(problems[0].line, 1);
  }
}

TEST(JobReader, ATemplateIsAWordOrAFile) {
  JobConfig config;
  EXPECT_TRUE(ProblemsOf("data: {template: /t/mine.jinja, train_on: last_turn}", &config).empty());
  EXPECT_EQ(config.data.template_name, "/t/mine.jinja");
  EXPECT_EQ(config.data.train_on, "last_turn");
  EXPECT_TRUE(ProblemsOf("data: {template: halo}", &config).empty());
}

TEST(JobReader, ColumnsAreReadAndWritten) {
  JobConfig config, again;
  EXPECT_TRUE(ProblemsOf("data: {columns: {prompt: question, chosen: a.0.text}}", &config).empty());
  ASSERT_EQ(config.data.columns.size(), 2u);
  EXPECT_EQ(config.data.columns[1], (std::pair<std::string, std::string>("chosen", "a.0.text")));
  EXPECT_TRUE(ProblemsOf(WriteJobYaml(config).c_str(), &again).empty());
  EXPECT_EQ(again.data.columns, config.data.columns);
}

TEST(JobReader, ReadsOneSaeOrSeveral) {
  JobConfig one, two;
  EXPECT_TRUE(ProblemsOf("sae: {path: a, layer: 3}", &one).empty());
  EXPECT_TRUE(ProblemsOf("sae:\n- {path: a}\n- {path: b, site: mlp_out}\n", &two).empty());
  ASSERT_EQ(one.sae.size(), 1u);
  EXPECT_EQ(one.sae[0].layer, 3);
  ASSERT_EQ(two.sae.size(), 2u);
  EXPECT_EQ(two.sae[1].site, "mlp_out");
}

}  // namespace
}  // namespace fpo
