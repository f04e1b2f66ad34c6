#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo {

// An object, or with a key that ends in "/" or in nothing, what lies below.
struct ObjectName {
  std::string bucket;
  std::string key;

  std::string Url() const { return "s3://" + bucket + "/" + key; }
};

// A folder or a file of a repository of the Hugging Face Hub: hf://ORG/NAME[@REVISION][/PATH], and
// hf://datasets/ORG/NAME... of a data set.
struct HubPath {
  bool is_dataset = false;
  std::string repository;         // "google/gemma-3-270m"
  std::string revision = "main";  // a branch, a tag or a commit
  std::string path;               // below the repository; empty: all of it

  // The command that downloads it into the cache.
  std::string DownloadCommand() const;
};

// Whether it is written as a URL, of whatever scheme, instead of a path.
bool IsUrl(absl::string_view text);
bool IsS3Url(absl::string_view text);
bool IsHubUrl(absl::string_view text);

// InvalidArgument says what is wrong with its form. The messages do not repeat the URL, which may
// contain what someone took for its place: a key, a signature. A "/" at the end is dropped.
absl::StatusOr<ObjectName> ParseS3Url(absl::string_view url);
absl::StatusOr<HubPath> ParseHubUrl(absl::string_view url);

// Whether a key can be the name of a file below a folder: parts that are not empty, "." or "..",
// and no control characters or backslashes.
bool IsPlainKey(absl::string_view key);

}  // namespace fpo
