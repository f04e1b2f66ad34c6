#include "cache/core/records/manifest_access.h"

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "gtest/gtest.h"

namespace fpo::cache {
namespace {

TEST(ManifestAccess, EachOwnerSharesForHimself) {
  ManifestHeader header;
  ASSERT_TRUE(AddShare({"ana", "private"}, &header.shares).ok());
  const Principal ana{"ana", Role::kUser}, bob{"bob", Role::kUser, {"align"}}, eve{"eve"};
  EXPECT_TRUE(MayRead(header, ana).ok());
  EXPECT_EQ(ReasonOf(MayRead(header, bob)), ErrorReason::kNotShared);
  ASSERT_TRUE(AddShare({"carl", "group:align"}, &header.shares).ok());
  EXPECT_TRUE(MayRead(header, bob).ok()) << "carl computed the same and shares it";
  EXPECT_FALSE(MayRead(header, eve).ok());
  ASSERT_TRUE(AddShare({"carl", "private"}, &header.shares).ok()) << "the last word counts";
  EXPECT_FALSE(MayRead(header, bob).ok());
  EXPECT_EQ(header.shares.size(), 2u);
}

TEST(ManifestAccess, OnlyOwnersAndAdminsChange) {
  ManifestHeader header;
  header.shares = {{"ana", "public"}};
  EXPECT_TRUE(MayChange(header, {"ana", Role::kUser}).ok());
  EXPECT_TRUE(MayChange(header, {"root", Role::kAdmin}).ok());
  EXPECT_EQ(ReasonOf(MayChange(header, {"bob", Role::kUser})), ErrorReason::kNotYours);
  EXPECT_EQ(MayChange(header, {"w", Role::kWorker}).code(), absl::StatusCode::kPermissionDenied);
}

TEST(ManifestAccess, OwnersAreBounded) {
  std::vector<ManifestShare> shares;
  for (size_t i = 0; i < kSharesMax; ++i) {
    ASSERT_TRUE(AddShare({absl::StrCat("u", i), "public"}, &shares).ok());
  }
  EXPECT_EQ(AddShare({"one more", "public"}, &shares).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(AddShare({"u7", "private"}, &shares).ok());
}

}  // namespace
}  // namespace fpo::cache
