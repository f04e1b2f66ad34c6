#include "cache/core/records/cache_errors.h"

#include "common/error_info.h"
#include "gmock/gmock.h"
#include "tests/cache/core/test_records.h"

namespace fpo::cache {
namespace {

TEST(CacheErrors, CarryTheReasonThatCallersBranchOn) {
  EXPECT_EQ(ReasonOf(BadRequest("keys", "none")), ErrorReason::kInvalidRequest);
  EXPECT_EQ(GetErrorInfo(BadRequest("keys", "none"))->field, "keys");
  EXPECT_EQ(ReasonOf(NoManifest(TestKey(1))), ErrorReason::kManifestNotFound);
  EXPECT_EQ(ReasonOf(ForeignKey(TestKey(1), TestKey(2))), ErrorReason::kKeyNotInManifest);
  EXPECT_EQ(ReasonOf(NotHeld(3, TestKey(1))), ErrorReason::kStaleClaim);
}

TEST(CacheErrors, SayTheNumbers) {
  const absl::Status status = Incomplete(TestKey(1), 3, 10);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kManifestIncomplete);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("3 of 10"));
}

}  // namespace
}  // namespace fpo::cache
