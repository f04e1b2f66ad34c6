#include "common/job/sections/parallel_fields.h"

#include "absl/strings/str_cat.h"
#include "common/job/job_difference.h"
#include "common/job/job_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

absl::StatusOr<JobConfig> ParallelJob(const std::string& shard, const char* kind = "train") {
  return ReadJobYaml(
      absl::StrCat("name: a\nkind: ", kind, "\nmodel: {path: /m}\nmethod: {name: simpo}\n",
                   "data: {train: /d.jsonl, eval: /e.jsonl}\noutput: /o\nparallel: {shard: ", shard,
                   "}\n"),
      "job.yaml");
}

TEST(ParallelFields, AJobIsReadAndWritten) {
  for (const char* word : {"none", "optimizer", "gradients"}) {
    const auto job = ParallelJob(word);
    ASSERT_TRUE(job.ok()) << job.status();
    EXPECT_EQ(job->parallel.shard, word);
    const auto again = ReadJobJson(WriteJobJson(*job));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->parallel.shard, word);
  }
  const auto left_out = ParallelJob("auto");
  ASSERT_TRUE(left_out.ok()) << left_out.status();
  EXPECT_THAT(WriteJobJson(*left_out), ::testing::Not(HasSubstr("\"parallel\":{")))
      << "programs that know no sharding read every other job";
}

TEST(ParallelFields, WrongValuesAreNamedWithWhatIsAllowed) {
  EXPECT_THAT(std::string(ParallelJob("zero3").status().message()),
              HasSubstr("is not one of auto, none, optimizer, gradients"));
  EXPECT_THAT(std::string(ParallelJob("gradients", "evaluate").status().message()),
              HasSubstr("parallel.shard: kind evaluate trains nothing"));
}

// A run may go on with another sharding, which changes rounding alone.
TEST(ParallelFields, AnotherShardingIsTheSameRun) {
  const auto one = ParallelJob("none"), other = ParallelJob("gradients");
  EXPECT_THAT(RunDifferences(*one, *other), IsEmpty());
  EXPECT_THAT(NotedDifferences(*one, *other), SizeIs(1));
}

}  // namespace
}  // namespace fpo
