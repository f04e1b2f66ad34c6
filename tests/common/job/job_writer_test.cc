#include "common/job/job_file.h"
#include "common/text/json.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace fpo {
namespace {

TEST(JobWriter, TheSchemaIsJsonAndKnowsTheKeys) {
  const auto schema = ParseJson(JobSchema());
  ASSERT_TRUE(schema.ok()) << schema.status();
  const nlohmann::json& properties = schema->at("properties");
  const nlohmann::json& lr = properties.at("optimizer").at("properties").at("lr");
  EXPECT_EQ(lr.at("type"), "number");
  EXPECT_EQ(lr.at("default"), 5e-7);
  const nlohmann::json& chat = properties.at("data").at("properties").at("template");
  EXPECT_EQ(chat.at("anyOf").at(0).at("enum").size(), 4u);
  EXPECT_EQ(chat.at("anyOf").at(1).at("pattern"), "\\.jinja$");
}

TEST(JobWriter, WordsNotGivenAreLeftOut) {
  JobConfig config;
  config.sae = {{"/s", std::nullopt, ""}};
  const auto json = ParseJson(WriteJobJson(config));
  ASSERT_TRUE(json.ok());
  EXPECT_FALSE(json->at("sae").at(0).contains("site"));
  EXPECT_TRUE(json->at("max_steps").is_null());
}

// PyYAML and other readers of YAML 1.1 take 5e-07 for text.
// Programs that do not know them yet read every other job.
TEST(JobWriter, NewerKeysAreWrittenWhereTheyAreSet) {
  JobConfig config;
  EXPECT_EQ(WriteJobJson(config).find("activation_checkpointing_layers"), std::string::npos);
  EXPECT_EQ(WriteJobJson(config).find("adapter"), std::string::npos);
  config.activation_checkpointing_layers = 5;
  EXPECT_NE(WriteJobJson(config).find("\"activation_checkpointing_layers\":5"), std::string::npos);
}

TEST(JobWriter, SmallNumbersAreNumbersInEveryYaml) {
  JobConfig config;
  config.optimizer.lr = 5e-7;
  config.optimizer.betas = {1e-5, 0.25};
  EXPECT_NE(WriteJobYaml(config).find("lr: 5.0e-07\n"), std::string::npos);
  EXPECT_NE(WriteJobYaml(config).find("[1.0e-05, 0.25]"), std::string::npos);
}

}  // namespace
}  // namespace fpo
