#include "common/http/http_transfers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/http/post_receiver.h"

namespace fpo {
namespace {

using ::testing::SizeIs;

HttpTransfers::Done Only(HttpTransfers* transfers) {
  for (int i = 0; i < 100; ++i) {
    std::vector<HttpTransfers::Done> done = transfers->Wait(absl::Seconds(1));
    if (!done.empty()) return std::move(done[0]);
  }
  return {0, absl::DeadlineExceededError("nothing came")};
}

HttpRequest To(const testing::PostReceiver& server) {
  return {server.url() + "/v1", {"Content-Type: application/json"}, "{}"};
}

TEST(HttpTransfersTest, BodiesStatusesAndWaits) {
  const testing::PostReceiver server("200,503@7");
  HttpTransfers transfers({});
  transfers.Start(5, To(server));
  EXPECT_EQ(transfers.in_progress(), 1u);
  HttpTransfers::Done done = Only(&transfers);
  EXPECT_EQ(done.id, 5u);
  ASSERT_TRUE(done.response.ok()) << done.response.status();
  EXPECT_EQ(done.response->status, 200);
  EXPECT_EQ(done.response->body, "two words");
  EXPECT_EQ(transfers.in_progress(), 0u);
  transfers.Start(6, To(server));
  done = Only(&transfers);
  EXPECT_EQ(done.response->status, 503);
  EXPECT_EQ(done.response->retry_after, absl::Seconds(7));
}

TEST(HttpTransfersTest, ErrorsHaveTheirKinds) {
  const testing::PostReceiver server("cut,slow,long");
  HttpTransfers::Options options;
  options.timeout = absl::Milliseconds(300);
  options.response_bytes_max = 1000;
  HttpTransfers transfers(options);
  transfers.Start(0, To(server));
  EXPECT_TRUE(absl::IsUnavailable(Only(&transfers).response.status()));
  transfers.Start(0, To(server));
  EXPECT_TRUE(absl::IsDeadlineExceeded(Only(&transfers).response.status()));
  transfers.Start(0, {"http://127.0.0.1:1/", {}, ""});
  EXPECT_TRUE(absl::IsUnavailable(Only(&transfers).response.status()));
  transfers.Start(0, {"file:///etc/passwd", {}, ""});
  EXPECT_TRUE(absl::IsInvalidArgument(Only(&transfers).response.status()));
  transfers.Start(0, To(server));
  EXPECT_TRUE(absl::IsResourceExhausted(Only(&transfers).response.status()));
}

TEST(HttpTransfersTest, ARedirectionIsAResponseAndIsNotFollowed) {
  const testing::PostReceiver server("302");
  HttpTransfers transfers({});
  transfers.Start(0, To(server));
  EXPECT_EQ(Only(&transfers).response->status, 302);
  transfers.Start(0, To(server));
  EXPECT_EQ(Only(&transfers).response->status, 200);
  ASSERT_THAT(server.Requests(), SizeIs(2));
  EXPECT_EQ(server.Requests()[1]["path"], "/v1");
}

TEST(HttpTransfersTest, WaitingForNothingEnds) {
  HttpTransfers transfers({});
  EXPECT_TRUE(transfers.Wait(absl::Milliseconds(1)).empty());
}

TEST(HttpTransfersTest, WhatIsInProgressIsGivenUpWithTheObject) {
  const testing::PostReceiver server("slow");
  HttpTransfers transfers({});
  transfers.Start(0, To(server));
  EXPECT_TRUE(transfers.Wait(absl::Milliseconds(50)).empty());
}

}  // namespace
}  // namespace fpo
