#include "common/object_store/s3_request.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "common/hash.h"
#include "tests/common/object_store/s3_server.h"

namespace fpo {
namespace {

using testing::S3Server;

S3Request Get(const std::string& path) {
  S3Request request;
  request.method = "GET";
  request.path = path;
  request.body_sha256 = ToHex(Sha256Of(""));
  return request;
}

TEST(S3Request, AnAnswerOfAnyStatusIsHandedOn) {
  const S3Server server;
  S3Connections connections({.endpoint = server.endpoint(), .region = "eu-1", .ca_file = ""});
  const S3Credentials credentials{"test-key", "test-secret", ""};
  for (int i = 0; i < 3; ++i) {  // over one connection
    const auto response = connections.Call(Get("/bucket/none"), credentials);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->status, 404);
    EXPECT_TRUE(absl::StrContains(response->body, "NoSuchKey"));
    EXPECT_EQ(response->headers.count("content-length"), 1u);
  }
}

TEST(S3Request, TheServerRefusesABodyThatIsNotTheSignedOne) {
  const S3Server server;
  S3Connections connections({.endpoint = server.endpoint(), .region = "eu-1", .ca_file = ""});
  S3Request request = Get("/bucket/object");
  request.method = "PUT";
  request.body = "other bytes";
  const auto response = connections.Call(request, {"test-key", "test-secret", ""});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(absl::StrContains(response->body, "XAmzContentSHA256Mismatch")) << response->body;
}

TEST(S3Request, NoServerIsUnavailable) {
  std::string endpoint;
  {
    const S3Server server;
    endpoint = server.endpoint();
  }
  S3Connections connections({.endpoint = endpoint, .region = "eu-1", .ca_file = ""});
  const auto response = connections.Call(Get("/bucket/object"), {"test-key", "hunter2", ""});
  EXPECT_TRUE(absl::IsUnavailable(response.status())) << response.status();
  EXPECT_FALSE(absl::StrContains(response.status().message(), "hunter2"));
}

}  // namespace
}  // namespace fpo
