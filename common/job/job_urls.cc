#include "common/job/job_urls.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/data_files.h"
#include "common/job/job_paths.h"
#include "common/object_store/object_url.h"

namespace fpo {
namespace {

// Files of the worker itself, or what it writes as it goes.
bool IsOnlyLocal(const std::string& key) {
  return key == "judge.ca_file" || key == "judge.key_file" || key == "judge.store";
}

absl::Status CheckS3(const JobPath& path) {
  const absl::StatusOr<ObjectName> name = ParseS3Url(*path.path);
  if (!name.ok()) return name.status();
  if (name->key.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(*path.path, " is a whole bucket; name what lies in it"));
  }
  if (path.kind == JobPath::Kind::kOutput && absl::EndsWith(name->key, ".npz")) {
    return absl::InvalidArgumentError(
        absl::StrCat(*path.path, " is a file; name a folder, which then holds it"));
  }
  const bool is_data = path.kind == JobPath::Kind::kData || path.kind == JobPath::Kind::kLabels;
  if (!is_data && name->key.find_first_of("*?[") != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(*path.path, " is a pattern, which only data.train and data.eval may be"));
  }
  return absl::OkStatus();
}

absl::Status CheckJobUrl(const JobPath& path) {
  if (IsOnlyLocal(path.key)) {
    return absl::InvalidArgumentError("must be a path on the worker, not a URL");
  }
  if (IsS3Url(*path.path)) return CheckS3(path);
  if (IsHubUrl(*path.path) && path.kind != JobPath::Kind::kOutput) {
    return ParseHubUrl(*path.path).status();
  }
  // The scheme alone: the rest may hold a password.
  return absl::InvalidArgumentError(absl::StrCat(
      "a URL of ", path.path->substr(0, path.path->find("://")), ":// cannot be ",
      path.kind == JobPath::Kind::kOutput ? "written; an output is a folder or s3://BUCKET/PATH"
                                          : "read; an input is a path, s3://BUCKET/PATH or "
                                            "hf://ORG/NAME"));
}

}  // namespace

std::vector<JobProblem> UrlProblems(const JobConfig& config) {
  JobConfig copy = config;
  std::vector<JobProblem> problems;
  for (const JobPath& path : JobPaths(&copy)) {
    if (!IsUrl(*path.path)) continue;
    const absl::Status status = CheckJobUrl(path);
    if (!status.ok()) problems.push_back({0, path.key, std::string(status.message())});
  }
  return problems;
}

bool ReadsUrls(const JobConfig& config) {
  JobConfig copy = config;
  for (const JobPath& path : JobPaths(&copy)) {
    if (IsUrl(*path.path) && IsRead(copy, path)) return true;
  }
  return false;
}

}  // namespace fpo
