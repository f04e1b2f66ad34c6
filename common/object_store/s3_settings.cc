#include "common/object_store/s3_settings.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr int64_t kCredentialsBytesMax = 1 << 20;

// The first of the names that is set to something.
std::string FirstOf(const std::vector<std::string>& environment,
                    const std::vector<absl::string_view>& names) {
  for (const absl::string_view name : names) {
    for (const std::string& entry : environment) {
      absl::string_view rest = entry;
      if (absl::ConsumePrefix(&rest, name) && absl::ConsumePrefix(&rest, "=") && !rest.empty()) {
        return std::string(rest);
      }
    }
  }
  return "";
}

absl::Status CheckEndpoint(absl::string_view endpoint) {
  absl::string_view rest = endpoint;
  const bool is_http =
      absl::ConsumePrefix(&rest, "http://") || absl::ConsumePrefix(&rest, "https://");
  // A user's name and password would be shown in error messages.
  if (is_http && !rest.empty() && !absl::StrContains(rest, '/') && !absl::StrContains(rest, '@') &&
      !absl::StrContains(rest, '?')) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "AWS_ENDPOINT_URL must be http://HOST[:PORT] or https://HOST[:PORT], without a path, a query "
      "or a password");
}

bool IsRegion(absl::string_view region) {
  return region.size() <= 64 && std::all_of(region.begin(), region.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
         });
}

// The section of the profile, of a file with lines "[NAME]" and "key = value".
S3Credentials ReadProfile(absl::string_view text, const std::string& profile) {
  S3Credentials credentials;
  bool inside = false;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (line[0] == '[') {
      inside = absl::StripAsciiWhitespace(line.substr(1, line.find(']') - 1)) == profile;
      continue;
    }
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(line, absl::MaxSplits('=', 1));
    const absl::string_view name = absl::StripAsciiWhitespace(pair.first);
    const std::string value(absl::StripAsciiWhitespace(pair.second));
    if (!inside) continue;
    if (name == "aws_access_key_id") credentials.key_id = value;
    if (name == "aws_secret_access_key") credentials.secret = value;
    if (name == "aws_session_token") credentials.session_token = value;
  }
  return credentials;
}

}  // namespace

absl::StatusOr<S3Settings> S3SettingsOf(const std::vector<std::string>& environment) {
  S3Settings settings;
  settings.region = FirstOf(environment, {"AWS_REGION", "AWS_DEFAULT_REGION"});
  if (settings.region.empty()) settings.region = "us-east-1";
  if (!IsRegion(settings.region)) {
    return absl::InvalidArgumentError("AWS_REGION must be of letters, digits, '-' and '_'");
  }
  settings.endpoint = FirstOf(environment, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  while (absl::EndsWith(settings.endpoint, "/")) settings.endpoint.pop_back();
  if (settings.endpoint.empty()) {
    settings.endpoint = absl::StrCat("https://s3.", settings.region, ".amazonaws.com");
  }
  FPO_RETURN_IF_ERROR(CheckEndpoint(settings.endpoint));
  settings.ca_file = FirstOf(environment, {"AWS_CA_BUNDLE"});
  settings.fixed = {FirstOf(environment, {"AWS_ACCESS_KEY_ID"}),
                    FirstOf(environment, {"AWS_SECRET_ACCESS_KEY"}),
                    FirstOf(environment, {"AWS_SESSION_TOKEN"})};
  if (settings.fixed.key_id.empty() != settings.fixed.secret.empty()) {
    return absl::InvalidArgumentError(
        "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set; set both, or neither and "
        "use the file of AWS_SHARED_CREDENTIALS_FILE");
  }
  settings.credentials_file = FirstOf(environment, {"AWS_SHARED_CREDENTIALS_FILE"});
  const std::string home = FirstOf(environment, {"HOME"});
  if (settings.credentials_file.empty() && !home.empty()) {
    settings.credentials_file = home + "/.aws/credentials";
  }
  settings.profile = FirstOf(environment, {"AWS_PROFILE"});
  if (settings.profile.empty()) settings.profile = "default";
  return settings;
}

absl::StatusOr<S3Credentials> CredentialsOf(const S3Settings& settings) {
  if (!settings.fixed.key_id.empty()) return settings.fixed;
  const std::string places = absl::StrCat(
      "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its environment, or write them to the "
      "section [",
      settings.profile, "] of ",
      settings.credentials_file.empty() ? std::string("AWS_SHARED_CREDENTIALS_FILE")
                                        : settings.credentials_file);
  if (!settings.credentials_file.empty()) {
    const auto text = ReadFile(settings.credentials_file, kCredentialsBytesMax);
    if (!text.ok() && !absl::IsNotFound(text.status())) {
      return absl::PermissionDeniedError(
          absl::StrCat("the credentials for S3 cannot be read: ", text.status().message()));
    }
    if (text.ok()) {
      S3Credentials credentials = ReadProfile(*text, settings.profile);
      if (!credentials.key_id.empty() && !credentials.secret.empty()) return credentials;
    }
  }
  return absl::PermissionDeniedError(
      absl::StrCat("this program has no credentials for S3; ", places));
}

}  // namespace fpo
