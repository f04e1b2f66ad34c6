#include "train/loop/micro_batch_size.h"

#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Items of 100 padded tokens each, in micro-batches of as many as `tokens` allow; more than
// `fits` of them do not fit into memory.
struct Attempts {
  int64_t items = 10;
  int64_t fits = 1;
  std::vector<int64_t> tokens = {};

  MicroBatchSize::Work Work() {
    return [this](int64_t size, MicroBatchSize::Current* current) {
      tokens.push_back(size);
      const int64_t count = std::min(items, std::max<int64_t>(1, size / 100));
      *current = {count, 100 * count};
      TORCH_CHECK_WITH(OutOfMemoryError, count <= fits, "no room for ", count);
      return absl::OkStatus();
    };
  }
};

TEST(MicroBatchSize, IsHalvedUntilTheWorkFits) {
  std::vector<std::string> warnings;
  MicroBatchSize size(
      {1600, true, c10::kCPU, [&](const std::string& w) { warnings.push_back(w); }});
  Attempts attempts;
  attempts.fits = 4;
  EXPECT_TRUE(size.Run("step 3", attempts.Work()).ok());
  // 800 tokens are fewer than the 1000 of the micro-batch that failed, and cut it.
  EXPECT_THAT(attempts.tokens, ElementsAre(1600, 800, 400));
  EXPECT_EQ(size.tokens(), 400);
  EXPECT_TRUE(size.halved());
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_THAT(warnings[0], AllOf(HasSubstr("no room for 10"), HasSubstr("step 3"),
                                 HasSubstr("10 items of 1000 tokens"),
                                 HasSubstr("at most 800 tokens instead of 1600"),
                                 ::testing::Not(HasSubstr("lower batch"))));
  EXPECT_TRUE(size.Run("step 4", attempts.Work()).ok());
  EXPECT_THAT(attempts.tokens, ElementsAre(1600, 800, 400, 400)) << "it is kept";
}

// A limit far above what is computed: halving it must change something each time.
TEST(MicroBatchSize, FallsBelowTheMicroBatchThatFailed) {
  MicroBatchSize size({1 << 20, true});
  Attempts attempts;
  attempts.items = 2;
  EXPECT_TRUE(size.Run("step 1", attempts.Work()).ok());
  EXPECT_THAT(attempts.tokens, ElementsAre(1 << 20, 128));
}

TEST(MicroBatchSize, OneItemThatDoesNotFitEndsTheWorkWithAdvice) {
  MicroBatchSize size({150, true});
  Attempts attempts;
  attempts.fits = 0;
  const absl::Status status = size.Run("step 1", attempts.Work());
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kOutOfMemory);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("no room for 1"), HasSubstr("step 1"), HasSubstr("cannot be cut"),
                    HasSubstr("100 tokens"), HasSubstr("data.max_length")));
  EXPECT_EQ(attempts.tokens.size(), 1u);
}

TEST(MicroBatchSize, StaysAsItIsUnlessTheJobAsksForIt) {
  MicroBatchSize size({1600, false});
  Attempts attempts;
  EXPECT_THROW(size.Run("step 1", attempts.Work()).IgnoreError(), c10::OutOfMemoryError);
  EXPECT_EQ(size.tokens(), 1600);
}

TEST(MicroBatchSize, OtherErrorsAreNotRepeated) {
  MicroBatchSize size({1600, true});
  int calls = 0;
  const auto fails = [&](int64_t, MicroBatchSize::Current*) {
    ++calls;
    return absl::NotFoundError("x");
  };
  EXPECT_TRUE(absl::IsNotFound(size.Run("step 1", fails)));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(size.tokens(), 1600);
}

TEST(MicroBatchSize, ALimitOnlyLowersIt) {
  MicroBatchSize size({1600, true});
  size.Limit(2000);
  EXPECT_EQ(size.tokens(), 1600);
  EXPECT_FALSE(size.halved());
  size.Limit(200);
  EXPECT_EQ(size.tokens(), 200);
  EXPECT_TRUE(size.halved());
}

}  // namespace
}  // namespace fpo::train
