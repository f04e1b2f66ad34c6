#include "coordinator/rpc/traces/otlp_post.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::coordinator {
namespace {

using ::testing::HasSubstr;

// A collector that takes one call and gives one answer; an empty one: none, until it is destroyed.
class OneCallCollector {
 public:
  explicit OneCallCollector(std::string answer) : answer_(std::move(answer)) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(listener_, 4), 0);
    socklen_t size = sizeof(address);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~OneCallCollector() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  OtlpSettings Settings() const {
    OtlpSettings settings;
    settings.url = absl::StrCat("http://127.0.0.1:", port_, "/v1/traces");
    settings.headers = {{"api-key", "geheim"}};
    return settings;
  }
  std::string Request() {
    thread_.join();
    thread_ = std::thread([] {});
    return request_;
  }
  std::function<void()> on_request = [] {};

 private:
  void Serve() {
    const int call = accept(listener_, nullptr, nullptr);
    if (call < 0) return;
    char bytes[4096];
    while (!absl::EndsWith(request_, "the body")) {
      const ssize_t got = read(call, bytes, sizeof(bytes));
      if (got <= 0) break;
      request_.append(bytes, static_cast<size_t>(got));
    }
    on_request();
    if (!answer_.empty()) {
      EXPECT_GT(write(call, answer_.data(), answer_.size()), 0);
    } else {
      (void)read(call, bytes, 1);  // until the caller gives up
    }
    close(call);
  }

  const std::string answer_;
  int listener_ = -1;
  int port_ = 0;
  std::string request_;
  std::thread thread_;
};

std::string Answer(const std::string& status, const std::string& body = "") {
  return absl::StrCat("HTTP/1.1 ", status, "\r\nContent-Length: ", body.size(),
                      "\r\nConnection: close\r\n\r\n", body);
}

TEST(OtlpPost, TheBodyGoesOutAsProtobufWithTheHeaders) {
  OneCallCollector collector(Answer("200 OK", "taken"));
  const auto answer = OtlpPost(collector.Settings()).Send("the body", {});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, "taken");
  const std::string request = collector.Request();
  EXPECT_THAT(request, HasSubstr("POST /v1/traces HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("Content-Type: application/x-protobuf\r\n"));
  EXPECT_THAT(request, HasSubstr("api-key: geheim\r\n"));
}

TEST(OtlpPost, WhatMayBeTakenLaterIsUnavailable) {
  for (const char* status : {"429 Too Many", "503 Later"}) {
    OneCallCollector collector(Answer(status));
    EXPECT_TRUE(absl::IsUnavailable(OtlpPost(collector.Settings()).Send("the body", {}).status()));
  }
  OtlpSettings nobody;
  nobody.url = "http://127.0.0.1:1/v1/traces";
  EXPECT_TRUE(absl::IsUnavailable(OtlpPost(nobody).Send("the body", {}).status()));
}

TEST(OtlpPost, WhatIsRefusedIsInvalidAlsoARedirect) {
  for (const char* status : {"400 Bad", "401 Who", "302 Found\r\nLocation: http://127.0.0.1:1/"}) {
    OneCallCollector collector(Answer(status));
    const absl::Status sent = OtlpPost(collector.Settings()).Send("the body", {}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(sent)) << sent;
  }
}

TEST(OtlpPost, ACollectorThatDoesNotAnswerIsLeftWhenThisEnds) {
  std::stop_source stop;
  OneCallCollector collector("");
  std::thread ender([&] { stop.request_stop(); });
  EXPECT_TRUE(absl::IsCancelled(
      OtlpPost(collector.Settings()).Send("the body", stop.get_token()).status()));
  ender.join();
}

TEST(OtlpPost, ACollectorThatDoesNotAnswerInTimeIsTriedLater) {
  OneCallCollector collector("");
  OtlpSettings settings = collector.Settings();
  settings.timeout = absl::Milliseconds(50);
  EXPECT_TRUE(absl::IsUnavailable(OtlpPost(settings).Send("the body", {}).status()));
}

}  // namespace
}  // namespace fpo::coordinator
