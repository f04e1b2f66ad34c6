#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fpo {

// What signs a request. Never logged, shown or handed on.
struct S3Credentials {
  std::string key_id;
  std::string secret;
  std::string session_token;  // of temporary credentials; empty: none
};

// Where objects are and as whom, as the environment says it in AWS's own variables.
struct S3Settings {
  std::string endpoint;  // "http://127.0.0.1:9000"; AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL
  std::string region;    // AWS_REGION or AWS_DEFAULT_REGION; default us-east-1
  std::string ca_file;   // AWS_CA_BUNDLE; empty: the system's
  // AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; empty key_id: those of the file.
  S3Credentials fixed;
  std::string credentials_file;  // AWS_SHARED_CREDENTIALS_FILE; default ~/.aws/credentials
  std::string profile;           // AWS_PROFILE; default "default"
};

// `environment`: "NAME=value". InvalidArgument names a variable that makes no sense.
absl::StatusOr<S3Settings> S3SettingsOf(const std::vector<std::string>& environment);

// The fixed ones, else those that the file has now: who renews them need not restart a program.
// PermissionDenied: there are none; says where they are looked for.
absl::StatusOr<S3Credentials> CredentialsOf(const S3Settings& settings);

}  // namespace fpo
