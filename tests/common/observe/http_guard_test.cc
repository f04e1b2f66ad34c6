#include "common/observe/http_guard.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;

// What the status page itself sends.
HttpHead PagePost() {
  return {.method = "POST",
          .peer = "127.0.0.1",
          .host = "localhost:7071",
          .origin = "http://localhost:7071",
          .fetch_site = "same-origin",
          .content_type = "application/json",
          .length = "17",
          .has_mark = true};
}

int Status(const HttpHead& head) {
  const std::optional<HttpReply> refusal = RefusalOf(head);
  return refusal ? refusal->status : 200;
}

TEST(HttpGuardTest, TakesWhatThePageAndProgramsSend) {
  EXPECT_EQ(Status(PagePost()), 200);
  HttpHead program = PagePost();
  program.origin = program.fetch_site = std::nullopt;
  program.host = "[::1]:7071";
  program.peer = "::1";
  EXPECT_EQ(Status(program), 200);
  program.content_type = "Application/JSON; charset=utf-8";
  EXPECT_EQ(Status(program), 200);
}

TEST(HttpGuardTest, APageOfAnotherSiteChangesNothing) {
  for (const char* origin : {"http://evil.example", "null", "https://localhost:7071",
                             "http://localhost:7072", "http://127.0.0.1:7071", ""}) {
    HttpHead head = PagePost();
    head.origin = origin;
    EXPECT_EQ(Status(head), 403) << origin;
  }
  for (const char* site : {"cross-site", "same-site"}) {
    HttpHead head = PagePost();
    head.fetch_site = site;
    EXPECT_EQ(Status(head), 403) << site;
  }
  HttpHead unmarked = PagePost();
  unmarked.has_mark = false;
  EXPECT_EQ(Status(unmarked), 403);
  HttpHead form = PagePost();
  for (const char* type :
       {"application/x-www-form-urlencoded", "text/plain", "multipart/form-data"}) {
    form.content_type = type;
    EXPECT_EQ(Status(form), 415) << type;
  }
  form.content_type = std::nullopt;
  EXPECT_EQ(Status(form), 415);
}

TEST(HttpGuardTest, NothingIsTakenThatCrossedANetwork) {
  for (const char* peer : {"10.0.0.7", "::ffff:10.0.0.7", "2001:db8::1", ""}) {
    HttpHead head = PagePost();
    head.peer = peer;
    EXPECT_EQ(Status(head), 403) << peer;
    EXPECT_THAT(RefusalOf(head)->body, HasSubstr("no TLS"));
    head.method = "GET";
    EXPECT_EQ(Status(head), 200) << "it shows nothing";
    head.authorization = "Bearer secret";
    EXPECT_EQ(Status(head), 403) << "its token was seen";
    EXPECT_THAT(RefusalOf(head)->body, HasSubstr("replace it"));
  }
  for (const char* host : {"10.0.0.7:7071", "fpo.example", "127.0.0.1.evil.example", ""}) {
    HttpHead head = PagePost();
    head.host = host;
    head.origin = std::string("http://") + host;
    EXPECT_EQ(Status(head), 403) << host;
  }
  HttpHead mapped = PagePost();
  mapped.peer = "::ffff:127.0.0.1";
  EXPECT_EQ(Status(mapped), 200) << "of a listener on [::]";
  mapped.host = std::nullopt;
  EXPECT_EQ(Status(mapped), 403);
}

TEST(HttpGuardTest, BodiesAreBounded) {
  HttpHead head = PagePost();
  head.length = std::to_string(kHttpBodyBytesMax);
  EXPECT_EQ(Status(head), 200);
  head.length = std::to_string(kHttpBodyBytesMax + 1);
  EXPECT_EQ(Status(head), 413);
  for (const char* length : {"-1", "", "x"}) {
    head.length = length;
    EXPECT_EQ(Status(head), 411) << length;
  }
  head.length = std::nullopt;
  EXPECT_EQ(Status(head), 411) << "chunked";
}

TEST(HttpGuardTest, TokensAreBearers) {
  HttpHead head;
  EXPECT_EQ(TokenOf(head), "");
  head.authorization = "Bearer fpo_1";
  EXPECT_EQ(TokenOf(head), "fpo_1");
  head.authorization = "Basic YTpi";
  EXPECT_EQ(TokenOf(head), "");
}

TEST(HttpGuardTest, KnowsNumbersAndThisMachine) {
  for (const char* host :
       {"localhost", "LOCALHOST:1", "127.0.0.1:7071", "[::1]:7071", "10.1.2.3"}) {
    EXPECT_TRUE(IsNumericOrLocalHost(host)) << host;
  }
  for (const char* host : {"", "x", "localhost.evil", "[::1", "[fe80::x]", "1.2.3.4.evil:7071"}) {
    EXPECT_FALSE(IsNumericOrLocalHost(host)) << host;
  }
}

}  // namespace
}  // namespace fpo
