#include "client/job_source.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "common/error_info.h"
#include "common/job_file.h"
#include "common/status_macros.h"

namespace fpo::client {
namespace {

namespace fs = std::filesystem;

constexpr size_t kJobBytesMax = 256 << 10;  // of a JobSpec

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return UsageError(absl::StrCat(path, " is a folder, not a job file"),
                      "name the job file in it, e.g. job.yaml");
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    const bool absent = errno == ENOENT;
    const std::string message =
        absl::StrCat("the job file ", path, " cannot be read: ", std::strerror(errno));
    return WithErrorInfo(
        absent ? absl::NotFoundError(message) : absl::PermissionDeniedError(message),
        {.reason = "FILE_UNREADABLE",
         .hint = absent ? "check the name, or start with: fpoctl init fpo > job.yaml"
                        : "check who may read it: ls -l"});
  }
  std::ostringstream text;
  text << in.rdbuf();
  if (text.str().size() > kJobBytesMax) {
    return WithErrorInfo(
        absl::InvalidArgumentError(absl::StrCat(path, ":1: the file has ", text.str().size(),
                                                " bytes; a job may have ", kJobBytesMax)),
        {.reason = kInvalidJobReason, .hint = "is this a job file? an example: fpoctl init fpo"});
  }
  return text.str();
}

// The key of the first problem: "job.yaml:12: optimizer.lr: ..." names optimizer.lr.
std::string FirstKey(const absl::Status& problems, const std::string& path) {
  std::string line(problems.message());
  if (line.rfind(path, 0) != 0) return "";
  line = line.substr(path.size());
  const size_t begin = line.find(": ");
  const size_t end = begin == std::string::npos ? begin : line.find(": ", begin + 2);
  return end == std::string::npos ? "" : line.substr(begin + 2, end - begin - 2);
}

void MakeAbsolute(const fs::path& folder, std::string* path) {
  if (!path->empty()) *path = (folder / *path).lexically_normal().string();
}

}  // namespace

void SetLabel(const std::string& name, const std::string& value, JobConfig* config) {
  std::erase_if(config->labels, [&](const auto& label) { return label.first == name; });
  config->labels.emplace_back(name, value);
}

void MakePathsAbsolute(const std::string& folder, JobConfig* config) {
  const fs::path base(folder);
  MakeAbsolute(base, &config->model.path);
  MakeAbsolute(base, &config->reference.path);
  for (SaeSection& sae : config->sae) MakeAbsolute(base, &sae.path);
  for (std::string& file : config->data.train) MakeAbsolute(base, &file);
  for (std::string& file : config->data.eval) MakeAbsolute(base, &file);
  MakeAbsolute(base, &config->method.feature_weights);
  MakeAbsolute(base, &config->output);
}

absl::StatusOr<JobConfig> LoadJob(const std::string& path, const std::vector<std::string>& set) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  absl::StatusOr<JobConfig> config = ReadJobYaml(text, path, set);
  if (!config.ok()) {
    if (config.status().code() != absl::StatusCode::kInvalidArgument) return config;
    const ErrorInfo info = GetErrorInfo(config.status()).value_or(ErrorInfo());
    return WithErrorInfo(
        config.status(),
        {.reason = kInvalidJobReason, .field = FirstKey(config.status(), path), .hint = info.hint});
  }
  MakePathsAbsolute(fs::absolute(path).parent_path().string(), &*config);
  return config;
}

}  // namespace fpo::client
