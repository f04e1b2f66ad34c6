#include "common/observe/http_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/files/file_descriptor.h"
#include "gmock/gmock.h"
#include "tests/support/web/http_get.h"

namespace fpo {
namespace {

using ::fpo::testing::Exchange;
using ::fpo::testing::HttpGet;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const std::string kLong(16 << 20, 'x');

class HttpServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = HttpServer::Start(
        "127.0.0.1:0",
        {{"/a", [] { return HttpReply{.body = "answer"}; }},
         {"/down", [] { return HttpReply{.status = 503, .body = "why"}; }},
         {"/long", [] { return HttpReply{.body = kLong}; }},
         {"/waits",
          [this] {
            waits_entered_.Notify();
            probed_.WaitForNotification();
            return HttpReply{.body = "done"};
          }}},
        {{"/q", [](const std::string& query) { return HttpReply{.body = "<" + query + ">"}; }}},
        {{"/act", {.is_post = true, .answer = Repeat}},
         {"/look", {.answer = Repeat}},
         {"/later", {.answer = [this](const HttpCall&, std::function<void(HttpReply)> reply) {
            absl::MutexLock lock(&mutex_);
            later_.push_back(std::move(reply));
          }}}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  // At once, in the server's thread.
  static void Repeat(const HttpCall& call, const std::function<void(HttpReply)>& reply) {
    reply({.body = call.query + "|" + call.token + "|" + call.body});
  }
  std::string Post(const std::string& path, const std::string& body,
                   const std::string& headers = "X-FPO-Page: 1\r\n") {
    return Exchange(server_->address(), "POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" +
                                            headers + "Content-Type: application/json\r\n" +
                                            "Content-Length: " + std::to_string(body.size()) +
                                            "\r\n\r\n" + body);
  }

  absl::Mutex mutex_;
  std::vector<std::function<void(HttpReply)>> later_;
  absl::Notification waits_entered_;
  absl::Notification probed_;
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

// A web page may have its own name lead to this machine and then ask for what only its users may
// see.
TEST_F(HttpServerTest, OnLoopbackAForeignNameIsNotAnswered) {
  const auto ask = [&](const std::string& host) {
    return Exchange(server_->address(), "GET /a HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
  };
  for (const char* own : {"localhost", "localhost:7071", "127.0.0.1:7071", "[::1]:7071"}) {
    EXPECT_THAT(ask(own), EndsWith("answer")) << own;
  }
  for (const char* foreign :
       {"evil.example", "127.0.0.1.evil.example:7071", "localhost.evil", "x"}) {
    EXPECT_THAT(ask(foreign), StartsWith("HTTP/1.1 421")) << foreign;
    EXPECT_THAT(ask(foreign), Not(HasSubstr("answer"))) << foreign;
  }
  EXPECT_THAT(ask("localhost"), HasSubstr("X-Content-Type-Options: nosniff"));
}

TEST_F(HttpServerTest, QueriesReachThePathsThatTakeThem) {
  EXPECT_THAT(HttpGet(server_->address(), "/q?id=j-1"), EndsWith("<id=j-1>"));
  EXPECT_THAT(HttpGet(server_->address(), "/q"), EndsWith("<>"));
}

// A connection to the server, on which the test says and reads what it wants.
class Peer {
 public:
  explicit Peer(int port) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int small = 4096;  // so that an answer does not fit into the kernel's buffers
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    EXPECT_EQ(connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  }
  void Say(const std::string& text) {
    EXPECT_EQ(send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }

 private:
  FileDescriptor fd_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

TEST_F(HttpServerTest, PeersThatAreSilentOrReadSlowlyDelayNobody) {
  std::vector<Peer> silent;
  for (int i = 0; i < 100; ++i) silent.emplace_back(server_->port());
  std::vector<Peer> half_spoken;
  for (int i = 0; i < 20; ++i) half_spoken.emplace_back(server_->port()).Say("GET /a");
  std::vector<Peer> slow;
  for (int i = 0; i < 20; ++i) {
    slow.emplace_back(server_->port()).Say("GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  const absl::Time begin = absl::Now();
  EXPECT_THAT(HttpGet(server_->address(), "/a"), EndsWith("answer"));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(1));
}

TEST_F(HttpServerTest, ASlowHandlerDelaysNoProbe) {
  std::thread asks([&] { EXPECT_THAT(HttpGet(server_->address(), "/waits"), EndsWith("done")); });
  waits_entered_.WaitForNotification();
  EXPECT_THAT(HttpGet(server_->address(), "/a"), EndsWith("answer"));
  probed_.Notify();
  asks.join();
}

TEST_F(HttpServerTest, SendsLongBodiesWhole) {
  EXPECT_THAT(HttpGet(server_->address(), "/long"), EndsWith("\r\n\r\n" + kLong));
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

TEST_F(HttpServerTest, RefusesGarbageAndTooMuch) {
  EXPECT_THAT(Exchange(server_->address(), "nonsense\r\n\r\n"), Not(HasSubstr("answer")));
  EXPECT_THAT(
      Exchange(server_->address(), "GET /a HTTP/1.1\r\nX: " + std::string(20000, 'x') + "\r\n\r\n"),
      Not(HasSubstr("answer")));
  EXPECT_THAT(HttpGet(server_->address(), "/a"), EndsWith("answer"));
}

TEST_F(HttpServerTest, CallsHaveTheirBodyQueryAndToken) {
  EXPECT_THAT(Post("/act?x=1", "{\"a\":1}", "X-FPO-Page: 1\r\nAuthorization: Bearer fpo_1\r\n"),
              EndsWith("\r\n\r\nx=1|fpo_1|{\"a\":1}"));
  EXPECT_THAT(Post("/act", ""), EndsWith("\r\n\r\n||"));
  const std::string most(kHttpBodyBytesMax, 'b');
  EXPECT_THAT(Post("/act", most), EndsWith("||" + most));
  EXPECT_THAT(Post("/act", most + "b"), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(HttpGet(server_->address(), "/look?y"), EndsWith("\r\n\r\ny||"));
}

TEST_F(HttpServerTest, CallsAreGuarded) {
  EXPECT_THAT(Post("/act", "{}", ""), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Post("/act", "{}", "X-FPO-Page: 1\r\nOrigin: http://evil.example\r\n"),
              StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Post("/act", "{}", "X-FPO-Page: 1\r\nOrigin: http://localhost\r\n"),
              EndsWith("||{}"));
  EXPECT_THAT(HttpGet(server_->address(), "/act"), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(Post("/look", "{}"), StartsWith("HTTP/1.1 405"));
  const std::string preflight =
      Exchange(server_->address(),
               "OPTIONS /act HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n");
  EXPECT_THAT(preflight, StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(preflight, Not(HasSubstr("Access-Control")));
  EXPECT_THAT(Exchange(server_->address(), "POST /act HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
              StartsWith("HTTP/1.1 421"));
}

TEST_F(HttpServerTest, RepliesThatComeLaterHoldNoThread) {
  std::vector<std::thread> askers;
  for (int i = 0; i < 20; ++i) {
    askers.emplace_back(
        [&] { EXPECT_THAT(HttpGet(server_->address(), "/later"), EndsWith("late")); });
  }
  const auto all_wait = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return later_.size() == 20; };
  mutex_.LockWhen(absl::Condition(&all_wait));
  const auto replies = std::move(later_);
  mutex_.Unlock();
  EXPECT_THAT(HttpGet(server_->address(), "/a"), EndsWith("answer"));
  std::thread ends([&] { server_.reset(); });  // waits for them
  for (const auto& reply : replies) reply({.body = "late"});
  for (std::thread& asker : askers) asker.join();
  ends.join();
}

TEST_F(HttpServerTest, NamesAnAddressThatIsTakenOrNone) {
  const auto taken = HttpServer::Start(server_->address(), {});
  EXPECT_TRUE(absl::IsUnavailable(taken.status())) << taken.status();
  EXPECT_THAT(std::string(taken.status().message()), HasSubstr(std::to_string(server_->port())));
  EXPECT_TRUE(absl::IsInvalidArgument(HttpServer::Start("nowhere", {}).status()));
}

}  // namespace
}  // namespace fpo
