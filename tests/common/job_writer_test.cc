#include "common/job_file.h"
#include "common/json.h"
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

}  // namespace
}  // namespace fpo
