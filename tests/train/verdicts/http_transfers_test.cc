#include "train/verdicts/http_transfers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/verdicts/judge_server.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

constexpr char kQuestion[] =
    R"({"model": "m", "messages": [{"content": "Answer A:\nx\n\nAnswer B:\ny\n\nJudge whether"}]})";

HttpTransfers::Done Only(HttpTransfers* transfers) {
  for (int i = 0; i < 100; ++i) {
    std::vector<HttpTransfers::Done> done = transfers->Wait(absl::Seconds(1));
    if (!done.empty()) return std::move(done[0]);
  }
  return {0, absl::DeadlineExceededError("nothing came")};
}

HttpRequest To(const JudgeServer& server) {
  return {server.url(), {"Content-Type: application/json"}, kQuestion};
}

TEST(HttpTransfersTest, BodiesStatusesAndWaits) {
  const JudgeServer server("good,503@7");
  HttpTransfers transfers({});
  transfers.Start(5, To(server));
  EXPECT_EQ(transfers.in_progress(), 1u);
  HttpTransfers::Done done = Only(&transfers);
  EXPECT_EQ(done.id, 5u);
  ASSERT_TRUE(done.response.ok()) << done.response.status();
  EXPECT_EQ(done.response->status, 200);
  EXPECT_THAT(done.response->body, HasSubstr("chat.completion"));
  EXPECT_EQ(transfers.in_progress(), 0u);
  transfers.Start(6, To(server));
  done = Only(&transfers);
  EXPECT_EQ(done.response->status, 503);
  EXPECT_EQ(done.response->retry_after, absl::Seconds(7));
}

TEST(HttpTransfersTest, ErrorsHaveTheirKinds) {
  const JudgeServer server("cut,slow,good");
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
  options.response_bytes_max = 10;
  HttpTransfers narrow(options);
  narrow.Start(0, To(server));
  EXPECT_TRUE(absl::IsResourceExhausted(Only(&narrow).response.status()));
}

TEST(HttpTransfersTest, WaitingForNothingEnds) {
  HttpTransfers transfers({});
  EXPECT_TRUE(transfers.Wait(absl::Milliseconds(1)).empty());
}

TEST(HttpTransfersTest, WhatIsInProgressIsGivenUpWithTheObject) {
  const JudgeServer server("slow");
  HttpTransfers transfers({});
  transfers.Start(0, To(server));
  EXPECT_TRUE(transfers.Wait(absl::Milliseconds(50)).empty());
}

}  // namespace
}  // namespace fpo::train
