#include "common/object_store/object_url.h"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace fpo {
namespace {

constexpr size_t kKeyBytesMax = 1024;  // as S3 limits it
constexpr char kS3Form[] = "s3://BUCKET/PATH";
constexpr char kHubForm[] = "hf://ORG/NAME, hf://ORG/NAME@REVISION or hf://ORG/NAME/PATH";

absl::Status WrongUrl(absl::string_view what, absl::string_view form) {
  return absl::InvalidArgumentError(absl::StrCat("the URL ", what, "; it has the form ", form));
}

bool IsLowerOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || std::isdigit(static_cast<unsigned char>(c)) != 0;
}

bool IsBucketName(absl::string_view name) {
  if (name.size() < 3 || name.size() > 63) return false;
  if (!IsLowerOrDigit(name.front()) || !IsLowerOrDigit(name.back())) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return IsLowerOrDigit(c) || c == '-' || c == '.'; });
}

// As for a file name, so that it cannot leave the folder of the cache.
bool IsRepositoryPart(absl::string_view part) {
  if (part.empty() || part.size() > 96 || part[0] == '.' || part[0] == '-') return false;
  return std::all_of(part.begin(), part.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
  });
}

// What signs a URL is a key for whoever reads the job.
bool IsSigned(absl::string_view key) {
  return absl::StrContains(absl::AsciiStrToLower(key), "x-amz-") ||
         absl::StrContains(absl::AsciiStrToLower(key), "awsaccesskeyid=");
}

}  // namespace

std::string HubPath::DownloadCommand() const {
  std::string command = "hf download ";
  if (is_dataset) command += "--repo-type dataset ";
  command += repository;
  if (revision != "main") absl::StrAppend(&command, " --revision ", revision);
  return command;
}

bool IsUrl(absl::string_view text) {
  const size_t colon = text.find("://");
  if (colon == absl::string_view::npos || colon == 0) return false;
  return std::all_of(text.begin(), text.begin() + static_cast<ptrdiff_t>(colon), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '-' || c == '.';
  });
}

bool IsS3Url(absl::string_view text) { return absl::StartsWith(text, "s3://"); }
bool IsHubUrl(absl::string_view text) { return absl::StartsWith(text, "hf://"); }

absl::StatusOr<ObjectName> ParseS3Url(absl::string_view url) {
  if (!absl::ConsumePrefix(&url, "s3://")) return WrongUrl("does not begin with s3://", kS3Form);
  while (absl::ConsumeSuffix(&url, "/")) {
  }
  const size_t slash = std::min(url.find('/'), url.size());
  const absl::string_view bucket = url.substr(0, slash);
  const absl::string_view key = url.substr(std::min(slash + 1, url.size()));
  if (!IsBucketName(bucket)) {
    return WrongUrl(
        "names no bucket (3 to 63 of lower-case letters, digits, '-' and '.', and no credentials: "
        "the program has its own)",
        kS3Form);
  }
  if (IsSigned(key)) {
    return WrongUrl("is a signed one, which is a key for whoever reads the job", kS3Form);
  }
  if (key.size() > kKeyBytesMax) return WrongUrl("has more than 1024 bytes of path", kS3Form);
  if (!key.empty() && !IsPlainKey(key)) {
    return WrongUrl("has an empty part, \".\", \"..\", a backslash or a control character in it",
                    kS3Form);
  }
  return ObjectName{std::string(bucket), std::string(key)};
}

absl::StatusOr<HubPath> ParseHubUrl(absl::string_view url) {
  if (!absl::ConsumePrefix(&url, "hf://")) return WrongUrl("does not begin with hf://", kHubForm);
  HubPath hub;
  hub.is_dataset = absl::ConsumePrefix(&url, "datasets/");
  while (absl::ConsumeSuffix(&url, "/")) {
  }
  const size_t at = url.find('@');
  std::vector<std::string> parts = absl::StrSplit(url.substr(0, at), '/');
  std::vector<std::string> below;
  if (at != absl::string_view::npos) {
    // A revision with a slash is written with %2F, as the Hub writes it.
    below = absl::StrSplit(url.substr(at + 1), '/');
    hub.revision = absl::StrJoin(absl::StrSplit(below.front(), "%2F"), "/");
    below.erase(below.begin());
    if (!IsPlainKey(hub.revision) || parts.size() != 2) {
      return WrongUrl("has no revision behind ORG/NAME@", kHubForm);
    }
  } else if (parts.size() > 2) {
    below.assign(parts.begin() + 2, parts.end());
    parts.resize(2);
  }
  if (parts.size() != 2 || !IsRepositoryPart(parts[0]) || !IsRepositoryPart(parts[1])) {
    return WrongUrl("names no repository of the Hugging Face Hub", kHubForm);
  }
  hub.repository = absl::StrJoin(parts, "/");
  hub.path = absl::StrJoin(below, "/");
  if (!hub.path.empty() && !IsPlainKey(hub.path)) {
    return WrongUrl("has an empty part, \".\" or \"..\" in it", kHubForm);
  }
  return hub;
}

bool IsPlainKey(absl::string_view key) {
  for (const absl::string_view part : absl::StrSplit(key, '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return std::none_of(key.begin(), key.end(), [](char c) {
    return std::iscntrl(static_cast<unsigned char>(c)) != 0 || c == '\\';
  });
}

}  // namespace fpo
