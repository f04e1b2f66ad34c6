#include "common/object_store/s3_settings.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

using testing::TempFolder;
using testing::WriteWhole;

TEST(S3Settings, TheEnvironmentSaysWhereAndAsWhom) {
  const auto settings = S3SettingsOf({"AWS_ENDPOINT_URL=http://127.0.0.1:9000/", "AWS_REGION=eu-1",
                                      "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=secret",
                                      "AWS_SESSION_TOKEN=token", "AWS_CA_BUNDLE=/etc/ca.pem"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->endpoint, "http://127.0.0.1:9000");
  EXPECT_EQ(settings->region, "eu-1");
  EXPECT_EQ(settings->ca_file, "/etc/ca.pem");
  const auto credentials = CredentialsOf(*settings);
  ASSERT_TRUE(credentials.ok()) << credentials.status();
  EXPECT_EQ(credentials->session_token, "token");
}

TEST(S3Settings, TheDefaultIsAwsInTheRegion) {
  EXPECT_EQ(S3SettingsOf({})->endpoint, "https://s3.us-east-1.amazonaws.com");
  EXPECT_EQ(S3SettingsOf({"AWS_DEFAULT_REGION=eu-west-1"})->endpoint,
            "https://s3.eu-west-1.amazonaws.com");
}

TEST(S3Settings, HalfACredentialAndAPasswordInTheEndpointAreRefused) {
  for (const std::vector<std::string>& environment :
       {std::vector<std::string>{"AWS_ACCESS_KEY_ID=hunter2"},
        std::vector<std::string>{"AWS_ENDPOINT_URL=http://me:hunter2@host"},
        std::vector<std::string>{"AWS_ENDPOINT_URL=hunter2"},
        std::vector<std::string>{"AWS_REGION=hunter2:x"}}) {
    const auto settings = S3SettingsOf(environment);
    ASSERT_TRUE(absl::IsInvalidArgument(settings.status())) << environment.front();
    EXPECT_FALSE(absl::StrContains(settings.status().message(), "hunter2"));
  }
}

TEST(S3Settings, TheFileIsReadAnewForEachUse) {
  const TempFolder folder;
  const std::string file = folder / "credentials";
  WriteWhole(file, "[other]\naws_access_key_id = no\naws_secret_access_key = no\n");
  const auto settings =
      S3SettingsOf({"AWS_SHARED_CREDENTIALS_FILE=" + file, "AWS_PROFILE=training"});
  ASSERT_TRUE(settings.ok());
  EXPECT_TRUE(absl::IsPermissionDenied(CredentialsOf(*settings).status()));
  WriteWhole(file,
             "# renewed\n[other]\naws_access_key_id = no\naws_secret_access_key = no\n"
             "[training]\naws_access_key_id=yes\naws_secret_access_key = a=b \n");
  const auto credentials = CredentialsOf(*settings);
  ASSERT_TRUE(credentials.ok()) << credentials.status();
  EXPECT_EQ(credentials->key_id, "yes");
  EXPECT_EQ(credentials->secret, "a=b");
}

TEST(S3Settings, WithoutCredentialsTheErrorSaysWhereTheyAreLookedFor) {
  const auto none = CredentialsOf(*S3SettingsOf({"HOME=/nonexistent"}));
  ASSERT_TRUE(absl::IsPermissionDenied(none.status()));
  EXPECT_TRUE(absl::StrContains(none.status().message(), "/nonexistent/.aws/credentials"));
  EXPECT_TRUE(absl::StrContains(none.status().message(), "AWS_ACCESS_KEY_ID"));
}

}  // namespace
}  // namespace fpo
