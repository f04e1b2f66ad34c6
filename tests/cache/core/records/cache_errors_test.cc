#include "cache/core/records/cache_errors.h"

#include "common/error_info.h"
#include "gmock/gmock.h"
#include "tests/cache/core/test_records.h"

namespace fpo::cache {
namespace {

TEST(CacheErrors, CarryTheReasonThatCallersBranchOn) {
  EXPECT_EQ(ErrorReason(BadRequest("keys", "none")), "INVALID_REQUEST");
  EXPECT_EQ(GetErrorInfo(BadRequest("keys", "none"))->field, "keys");
  EXPECT_EQ(ErrorReason(NoManifest(TestKey(1))), "MANIFEST_NOT_FOUND");
  EXPECT_EQ(ErrorReason(ForeignKey(TestKey(1), TestKey(2))), "KEY_NOT_IN_MANIFEST");
  EXPECT_EQ(ErrorReason(NotHeld(3, TestKey(1))), "STALE_CLAIM");
}

TEST(CacheErrors, SayTheNumbers) {
  const absl::Status status = Incomplete(TestKey(1), 3, 10);
  EXPECT_EQ(ErrorReason(status), "MANIFEST_INCOMPLETE");
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("3 of 10"));
}

}  // namespace
}  // namespace fpo::cache
