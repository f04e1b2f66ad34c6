#include "common/http/http_post.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/common/http/post_receiver.h"

namespace fpo {
namespace {

using ::testing::SizeIs;

TEST(HttpPostTest, SendsHeadersAndBodyAndReturnsTheAnswer) {
  const testing::PostReceiver server("200,503@3");
  const HttpRequest request{server.url() + "/v1/traces?a=b",
                            {"Content-Type: application/json", "X-Id: 7"},
                            "{\"text\": \"\u00e9\"}"};
  const absl::StatusOr<HttpResponse> response = PostHttp(request, {});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "two words");
  const absl::StatusOr<HttpResponse> busy = PostHttp(request, {});
  ASSERT_TRUE(busy.ok()) << busy.status();
  EXPECT_EQ(busy->status, 503);
  EXPECT_EQ(busy->retry_after, absl::Seconds(3));
  ASSERT_THAT(server.Requests(), SizeIs(2));
  const nlohmann::json first = server.Requests()[0];
  EXPECT_EQ(first["method"], "POST");
  EXPECT_EQ(first["path"], "/v1/traces?a=b");
  EXPECT_EQ(first["headers"]["content-type"], "application/json");
  EXPECT_EQ(first["headers"]["x-id"], "7");
  EXPECT_EQ(first["body"], request.body);
}

TEST(HttpPostTest, EndsAtTheTimeout) {
  const testing::PostReceiver server("slow");
  HttpTransfers::Options options;
  options.timeout = absl::Milliseconds(200);
  EXPECT_TRUE(absl::IsDeadlineExceeded(PostHttp({server.url(), {}, "{}"}, options).status()));
}

TEST(HttpPostTest, IsGivenUpWhenTheProgramStops) {
  const testing::PostReceiver server("slow");
  absl::Status status;
  {
    std::jthread sender([&](const std::stop_token& stop) {
      status = PostHttp({server.url(), {}, "{}"}, {}, stop).status();
    });
    server.WaitFor(1);
  }  // asks to stop, and joins
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
}

TEST(HttpPostTest, NobodyListens) {
  EXPECT_TRUE(absl::IsUnavailable(PostHttp({"http://127.0.0.1:1/", {}, "{}"}, {}).status()));
}

}  // namespace
}  // namespace fpo
