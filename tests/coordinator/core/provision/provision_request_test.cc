#include "coordinator/core/provision/provision_request.h"

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

TEST(ProvisionRequest, ComesBackWhole) {
  const ProvisionRequest request{.id = "0a1b",
                                 .pool = "gpu",
                                 .job_id = "j-1",
                                 .owner = "ada",
                                 .workers = 3,
                                 .attempt = 2,
                                 .asked = kStart,
                                 .started = kStart + absl::Seconds(3),
                                 .state = ProvisionRequest::State::kCalledOff,
                                 .reference = "1234",
                                 .arrived = 1};
  EXPECT_EQ(DecodeProvisionRequest(EncodeProvisionRequest(request)).value(), request);
  EXPECT_EQ(AllocationName(request), "fpo-gpu-0a1b");
}

TEST(ProvisionRequest, WhatIsNoneIsDataLoss) {
  EXPECT_TRUE(absl::IsDataLoss(DecodeProvisionRequest("{}").status()));
  EXPECT_TRUE(
      absl::IsDataLoss(DecodeProvisionRequest(R"({"id":"a","pool":"b","state":9})").status()))
      << "of a newer program";
}

}  // namespace
}  // namespace fpo::coordinator
