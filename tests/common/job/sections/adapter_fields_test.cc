#include "common/job/sections/adapter_fields.h"

#include "absl/strings/str_cat.h"
#include "common/job/job_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<JobConfig> AdapterJob(const std::string& section, const char* kind = "train") {
  return ReadJobYaml(
      absl::StrCat("name: a\nkind: ", kind, "\nmodel: {path: /m}\nmethod: {name: simpo}\n",
                   "data: {train: /d.jsonl, eval: /e.jsonl}\noutput: /o\nadapter: ", section, "\n"),
      "job.yaml");
}

TEST(AdapterFields, AJobIsReadAndWritten) {
  const auto job = AdapterJob("{kind: lora, rank: 8, targets: [q_proj, v_proj], path: /start}");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_TRUE(job->adapter.on());
  EXPECT_EQ(job->adapter.rank, 8);
  EXPECT_EQ(job->adapter.alpha, 32);
  EXPECT_THAT(job->adapter.targets, ElementsAre("q_proj", "v_proj"));
  const auto again = ReadJobJson(WriteJobJson(*job));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(WriteJobJson(*again), WriteJobJson(*job));
  const auto word = AdapterJob("{kind: lora, targets: all-linear}");
  ASSERT_TRUE(word.ok()) << word.status();
  EXPECT_THAT(word->adapter.targets, ElementsAre("all-linear"));
  const auto none = AdapterJob("null");
  EXPECT_FALSE(none->adapter.on());
  EXPECT_THAT(WriteJobJson(*none), ::testing::Not(HasSubstr("adapter")))
      << "programs that know no adapters read every other job";
}

TEST(AdapterFields, WrongValuesAreNamedWithWhatIsAllowed) {
  const auto problem = [](const std::string& section, const char* kind = "train") {
    return std::string(AdapterJob(section, kind).status().message());
  };
  EXPECT_THAT(problem("{kind: dora}"), HasSubstr("is not one of none, lora, qlora"));
  EXPECT_THAT(problem("{kind: lora, rank: 0}"), HasSubstr("adapter.rank"));
  EXPECT_THAT(problem("{kind: lora, dropout: 0.1}"), HasSubstr("adapter.dropout"));
  EXPECT_THAT(problem("{kind: lora, targets: [qproj]}"), HasSubstr("\"qproj\" is not one of"));
  EXPECT_THAT(problem("{kind: lora, targets: []}"), HasSubstr("adapter.targets"));
  EXPECT_THAT(problem("{path: /start}"), HasSubstr("adapter.path: is read with adapter.kind"));
  EXPECT_THAT(problem("{kind: lora}", "evaluate"), HasSubstr("trains no adapter"));
  EXPECT_THAT(problem("{kind: lora, double_quantization: false}"),
              HasSubstr("adapter.double_quantization: is of adapter.kind: qlora"));
}

TEST(AdapterFields, QloraSaysHowTheBaseIsKept) {
  const auto job = AdapterJob("{kind: qlora}"),
             once = AdapterJob("{kind: qlora, double_quantization: false}");
  ASSERT_TRUE(job.ok() && once.ok()) << job.status() << once.status();
  EXPECT_EQ(job->adapter.packing(), "nf4-double");
  EXPECT_EQ(once->adapter.packing(), "nf4");
  EXPECT_EQ(AdapterJob("{kind: lora}")->adapter.packing(), "");
  EXPECT_THAT(WriteJobJson(*job), ::testing::Not(HasSubstr("double_quantization")));
  EXPECT_EQ(ReadJobJson(WriteJobJson(*once))->adapter.packing(), "nf4");
  // Records of the reference as it will be; other kinds have no adapter.
  EXPECT_THAT(std::string(AdapterJob("{kind: lora}", "reference").status().message()),
              HasSubstr("trains no adapter"));
  EXPECT_THAT(std::string(AdapterJob("{kind: qlora}", "reference").status().message()),
              ::testing::Not(HasSubstr("adapter")));
}

}  // namespace
}  // namespace fpo
