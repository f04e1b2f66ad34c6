#include "common/job_file.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(JobExamples, EveryExampleIsAValidJob) {
  for (const char* name : {"sft", "dpo", "ln_dpo", "simpo", "simpo_kl", "tdpo1", "tdpo2", "fpo",
                           "sae", "reference", "evaluate"}) {
    const auto text = ExampleJob(name);
    ASSERT_TRUE(text.ok()) << name;
    const auto config = ReadJobYaml(*text, name);
    EXPECT_TRUE(config.ok()) << config.status() << "\n" << *text;
    EXPECT_NE(text->find("# "), std::string::npos);
  }
}

TEST(JobExamples, AnUnknownNameListsTheKnownOnes) {
  const auto text = ExampleJob("ppo");
  EXPECT_EQ(text.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(text.status().message().find("simpo"), absl::string_view::npos);
}

}  // namespace
}  // namespace fpo
