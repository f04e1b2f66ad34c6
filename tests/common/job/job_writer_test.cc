#include "common/job/job_file.h"
#include "common/text/json.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(JobWriter, TheSchemaIsJsonAndKnowsTheKeys) {
  const auto schema = ParseJson(JobSchema());
  ASSERT_TRUE(schema.ok()) << schema.status();
  const JsonValue* properties = schema->Find("properties");
  ASSERT_NE(properties, nullptr);
  const JsonValue* lr = properties->Find("optimizer")->Find("properties")->Find("lr");
  ASSERT_NE(lr, nullptr);
  EXPECT_EQ(lr->Find("type")->AsString(), "number");
  EXPECT_EQ(lr->Find("default")->AsNumber(), 5e-7);
  EXPECT_NE(properties->Find("data")->Find("properties")->Find("template"), nullptr);
}

TEST(JobWriter, WordsNotGivenAreLeftOut) {
  JobConfig config;
  config.sae = {{"/s", std::nullopt, ""}};
  const auto json = ParseJson(WriteJobJson(config));
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(json->Find("sae")->Items()[0].Find("site"), nullptr);
  EXPECT_TRUE(json->Find("max_steps")->IsNull());
}

// PyYAML and other readers of YAML 1.1 take 5e-07 for text.
TEST(JobWriter, SmallNumbersAreNumbersInEveryYaml) {
  JobConfig config;
  config.optimizer.lr = 5e-7;
  config.optimizer.betas = {1e-5, 0.25};
  EXPECT_NE(WriteJobYaml(config).find("lr: 5.0e-07\n"), std::string::npos);
  EXPECT_NE(WriteJobYaml(config).find("[1.0e-05, 0.25]"), std::string::npos);
}

}  // namespace
}  // namespace fpo
