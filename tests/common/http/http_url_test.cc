#include "common/http/http_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(HttpUrlTest, PlainHttpOnlyToThisHost) {
  for (const char* url :
       {"https://hooks.example.org/a?b=c", "https://10.1.2.3:8443/", "http://localhost:9/x",
        "http://127.0.0.1:8080/", "http://127.1/", "http://[::1]:80/x"}) {
    EXPECT_TRUE(CheckHttpUrl(url, false).ok()) << url;
  }
  for (const char* url : {"http://example.org/", "http://127.0.0.1.example.org/",
                          "http://10.0.0.1/", "http://localhost.example.org/"}) {
    EXPECT_THAT(std::string(CheckHttpUrl(url, false).message()), HasSubstr("use https")) << url;
    EXPECT_TRUE(CheckHttpUrl(url, true).ok()) << url;
  }
}

TEST(HttpUrlTest, RefusesWhatIsNoHttpUrlAndPasswords) {
  for (const char* url : {"", "hooks", "ftp://a/b", "file:///etc/passwd", "http://", "https://a b"})
    EXPECT_FALSE(CheckHttpUrl(url, true).ok()) << url;
  const absl::Status status = CheckHttpUrl("https://me:secret@example.org/", true);
  EXPECT_THAT(std::string(status.message()), HasSubstr("password"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
}

TEST(HttpUrlTest, TheOriginHasNoPath) {
  EXPECT_EQ(HttpOrigin("https://hooks.example.org/services/T0/key?token=1"),
            "https://hooks.example.org");
  EXPECT_EQ(HttpOrigin("http://me:secret@127.0.0.1:8080/x"), "http://127.0.0.1:8080");
  EXPECT_EQ(HttpOrigin("nonsense://"), "(no URL)");
}

}  // namespace
}  // namespace fpo
