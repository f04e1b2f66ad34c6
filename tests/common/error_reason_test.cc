#include "common/error_reason.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(ErrorReason, NamesAreWhatClientsCompare) {
  EXPECT_EQ(ErrorReasonName(ErrorReason::kJobNotFound), "JOB_NOT_FOUND");
  EXPECT_EQ(ErrorReasonName(ErrorReason::kRole), "ROLE");
  EXPECT_EQ(ErrorReasonFromName("STALE_CLAIM"), ErrorReason::kStaleClaim);
}

TEST(ErrorReason, WhatIsNotKnownIsUnspecified) {
  EXPECT_EQ(ErrorReasonName(ErrorReason::kUnspecified), "");
  EXPECT_EQ(ErrorReasonFromName(""), ErrorReason::kUnspecified);
  EXPECT_EQ(ErrorReasonFromName("OF_NEXT_YEAR"), ErrorReason::kUnspecified);
  EXPECT_EQ(ErrorReasonName(static_cast<ErrorReason>(100'000)), "");
}

}  // namespace
}  // namespace fpo
