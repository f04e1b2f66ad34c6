#include "common/http_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/support/http_get.h"

namespace fpo {
namespace {

using ::fpo::testing::Exchange;
using ::fpo::testing::HttpGet;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class HttpServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = HttpServer::Start(
        "127.0.0.1:0",
        {{"/a", [] { return HttpReply{.body = "answer"}; }},
         {"/down", [] { return HttpReply{.status = 503, .body = "why"}; }}},
        {{"/q", [](const std::string& query) { return HttpReply{.body = "<" + query + ">"}; }}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersItsPaths) {
  const std::string answer = HttpGet(server_->address(), "/a");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 6\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nanswer"));
  EXPECT_THAT(HttpGet(server_->address(), "/a?x=1"), EndsWith("answer"));
  EXPECT_THAT(HttpGet(server_->address(), "/down"), HasSubstr("503 Service Unavailable"));
}

TEST_F(HttpServerTest, QueriesReachThePathsThatTakeThem) {
  EXPECT_THAT(HttpGet(server_->address(), "/q?id=j-1"), EndsWith("<id=j-1>"));
  EXPECT_THAT(HttpGet(server_->address(), "/q"), EndsWith("<>"));
}

TEST_F(HttpServerTest, AConnectionOpenedAheadOfTimeDelaysNobody) {
  const std::string address = server_->address();
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(server_->port()));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  const absl::Time begin = absl::Now();
  EXPECT_THAT(HttpGet(address, "/a"), EndsWith("answer"));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(1));
  close(fd);
}

TEST_F(HttpServerTest, HeadHasNoBody) {
  const std::string answer = Exchange(server_->address(), "HEAD /a HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Content-Length: 6"));
  EXPECT_THAT(answer, Not(EndsWith("answer")));
}

TEST_F(HttpServerTest, RefusesOtherPathsAndMethods) {
  EXPECT_THAT(HttpGet(server_->address(), "/b"), HasSubstr("404 Not Found"));
  EXPECT_THAT(HttpGet(server_->address(), "/b"), HasSubstr("/a"));
  EXPECT_THAT(Exchange(server_->address(), "POST /a HTTP/1.1\r\n\r\n"), HasSubstr("405"));
}

TEST_F(HttpServerTest, ClosesOnGarbageAndOnTooMuch) {
  EXPECT_EQ(Exchange(server_->address(), "\r\n\r\n"), "");
  EXPECT_EQ(Exchange(server_->address(), "nonsense\r\n\r\n"), "");
  EXPECT_EQ(Exchange(server_->address(), "GET /a HTTP/1.1\r\nX: " + std::string(9000, 'x')), "");
  EXPECT_THAT(HttpGet(server_->address(), "/a"), EndsWith("answer"));
}

TEST_F(HttpServerTest, ASilentPeerDelaysOthersOnlyBriefly) {
  std::thread silent([&] { EXPECT_EQ(Exchange(server_->address(), "GET /a"), ""); });
  EXPECT_THAT(HttpGet(server_->address(), "/a"), EndsWith("answer"));
  silent.join();
}

TEST_F(HttpServerTest, NamesAnAddressThatIsTakenOrNone) {
  const auto taken = HttpServer::Start(server_->address(), {});
  EXPECT_TRUE(absl::IsUnavailable(taken.status())) << taken.status();
  EXPECT_THAT(std::string(taken.status().message()), HasSubstr(std::to_string(server_->port())));
  EXPECT_TRUE(absl::IsInvalidArgument(HttpServer::Start("nowhere", {}).status()));
}

}  // namespace
}  // namespace fpo
