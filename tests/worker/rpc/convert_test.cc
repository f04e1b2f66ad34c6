#include "worker/rpc/convert.h"

#include <string>
#include <vector>

#include "common/error_info.h"
#include "gtest/gtest.h"
#include "tests/support/message_fields.h"

namespace fpo::worker {
namespace {

namespace pb = fpo::v1;
using ::fpo::testing::FillFields;
using ::fpo::testing::Unset;

TEST(ConvertTest, WhatIsSentHasItsPlaceInTheMessage) {
  EXPECT_EQ(ToProto(Outgoing(Closing{"why"})).closing().why(), "why");
  EXPECT_EQ(ToProto(Outgoing(Report{.attempt = {"j", 1, 2}})).report().attempt().job_id(), "j");
  EXPECT_EQ(ToProto(Outgoing(EventBatch{{{"j", 1, 2}, 9}})).events().first_seq(), 9u);
  EXPECT_EQ(ToProto(Outgoing(LogBatch{{{"j", 1, 2}, 7}})).logs().first_seq(), 7u);
}

TEST(ConvertTest, ArtifactFramesAndErrorsFillEveryField) {
  ArtifactFrame frame;
  frame.files = {{"a", 1, "ab"}};
  frame.data = "data";
  frame.sha256 = Sha256Of("data");
  const pb::PushArtifactRequest push = ToProto(frame);
  EXPECT_EQ(Unset(push), (std::vector<std::string>{"transfer_id", "error"}));
  EXPECT_EQ(push.data(), "data");
  EXPECT_EQ(push.sha256().size(), 32u);
  const pb::PushArtifactRequest error = ErrorToProto(
      WithErrorInfo(absl::NotFoundError("gone"),
                    {.reason = ErrorReason::kArtifactGone, .field = "", .hint = "H", .ids = {}}));
  EXPECT_EQ(Unset(error.error()), std::vector<std::string>{});
}

TEST(ConvertTest, EveryFieldOfTheCachesAnswersArrives) {
  int next = 0;
  pb::ClaimResponse claim;
  FillFields(&claim, &next);
  const RecordClaim got = FromProto(claim);
  EXPECT_EQ(got.id, claim.claim_id());
  EXPECT_EQ(got.ordinals, std::vector<int64_t>{claim.ordinals(0)});
  EXPECT_TRUE(got.complete);
  EXPECT_EQ(got.retry_after, absl::Milliseconds(claim.retry_after_ms()));
  EXPECT_EQ(got.lease, absl::Milliseconds(claim.lease_ms()));

  pb::WaitManifestResponse wait;
  FillFields(&wait, &next);
  EXPECT_EQ(FromProto(wait).present, wait.present());
  EXPECT_EQ(FromProto(wait).total, wait.total());
  EXPECT_EQ(FromProto(wait).claimable, wait.claimable());

  pb::PullManifestResponse pull;
  FillFields(&pull, &next);
  EXPECT_EQ(FromProto(pull).status().code(), absl::StatusCode::kDataLoss) << "no digest";
  pull.set_sha256_of_digests(std::string(32, 'd'));
  EXPECT_EQ(FromProto(pull)->count, pull.count());
  EXPECT_EQ(FromProto(pull)->packed, pull.packed());
  EXPECT_EQ(ToBytes(*FromProto(pull)->sha256_of_digests), std::string(32, 'd'));

  pb::PutManifestResponse put;
  FillFields(&put, &next);
  EXPECT_EQ(FromProto(put).status().code(), absl::StatusCode::kDataLoss);
  put.set_manifest_id(std::string(32, 'm'));
  EXPECT_EQ(FromProto(put)->total, put.total());
  EXPECT_EQ(FromProto(put)->missing, put.missing());
}

}  // namespace
}  // namespace fpo::worker
