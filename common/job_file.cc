#include "common/job_file.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/job_node.h"
#include "common/job_reader.h"
#include "common/job_yaml.h"
#include "common/posix_status.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr size_t kJobBytesMax = 256 * 1024;

absl::Status TooLarge(size_t bytes) {
  return absl::InvalidArgumentError(
      absl::StrCat("the job has ", bytes, " bytes, limit ", kJobBytesMax));
}

std::string DefaultSource(const JobConfig& config) {
  if (config.kind == "sae") return "none";
  return DefaultReferenceSource(config.method.name);
}

void FillDefaults(JobConfig* config) {
  if (config->reference.source.empty()) config->reference.source = DefaultSource(*config);
  if (config->reference.source == "none") return;
  if (config->reference.path.empty()) config->reference.path = config->model.path;
}

absl::Status AsStatus(std::vector<JobProblem> problems, absl::string_view file) {
  std::stable_sort(problems.begin(), problems.end(),
                   [](const JobProblem& a, const JobProblem& b) { return a.line < b.line; });
  std::vector<std::string> lines;
  for (const JobProblem& problem : problems) {
    std::string line(file);
    if (problem.line > 0) absl::StrAppend(&line, ":", problem.line);
    absl::StrAppend(&line, line.empty() ? "" : ": ", problem.key, problem.key.empty() ? "" : ": ",
                    problem.message);
    lines.push_back(std::move(line));
  }
  return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
}

// Reads what can be read even when some of it is wrong, so that all problems come at once.
absl::StatusOr<JobConfig> FromTree(const JobNode& root, absl::string_view file,
                                   std::vector<JobProblem> problems) {
  JobConfig config;
  const bool readable = problems.empty() || root.kind == JobNode::Kind::kMap;
  if (readable) ReadJobTree(root, &config, &problems);
  FillDefaults(&config);
  if (readable && root.kind == JobNode::Kind::kMap) {
    for (JobProblem& problem : ValidateJob(config)) {
      const bool known =
          std::any_of(problems.begin(), problems.end(), [&](const JobProblem& other) {
            return other.key == problem.key || absl::StartsWith(problem.key, other.key + ".") ||
                   other.key == "method.name";
          });
      problem.line = LineOfKey(root, problem.key);
      if (!known) problems.push_back(std::move(problem));
    }
  }
  if (!problems.empty()) return AsStatus(std::move(problems), file);
  return config;
}

// What comes from the command line has no line in the file.
void ForgetLines(JobNode* node) {
  node->line = 0;
  for (JobNode& item : node->items) ForgetLines(&item);
  for (auto& [name, member] : node->members) ForgetLines(&member);
}

absl::Status ApplySet(const std::vector<std::string>& set, JobNode* root,
                      std::vector<JobProblem>* problems) {
  for (const std::string& entry : set) {
    const size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0) {
      problems->push_back({0, "--set", absl::StrCat("\"", entry, "\" is not key=value")});
      continue;
    }
    const std::string key = entry.substr(0, equals);
    std::vector<JobProblem> wrong;
    FPO_ASSIGN_OR_RETURN(JobNode value, ParseJobYaml(entry.substr(equals + 1), &wrong));
    for (const JobProblem& problem : wrong) {
      problems->push_back({0, absl::StrCat("--set ", key), problem.message});
    }
    if (!wrong.empty()) continue;
    ForgetLines(&value);
    if (absl::Status status = SetJobNode(root, key, std::move(value)); !status.ok()) {
      problems->push_back({0, "--set", std::string(status.message())});
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JobConfig> ReadJobYaml(absl::string_view text, absl::string_view file,
                                      const std::vector<std::string>& set) {
  if (text.size() > kJobBytesMax) return TooLarge(text.size());
  std::vector<JobProblem> problems;
  FPO_ASSIGN_OR_RETURN(JobNode root, ParseJobYaml(text, &problems));
  FPO_RETURN_IF_ERROR(ApplySet(set, &root, &problems));
  return FromTree(root, file, std::move(problems));
}

absl::StatusOr<JobConfig> ReadJobJson(absl::string_view text) {
  if (text.size() > kJobBytesMax) return TooLarge(text.size());
  FPO_ASSIGN_OR_RETURN(const JobNode root, JobNodeFromJson(text));
  return FromTree(root, "", {});
}

absl::StatusOr<JobConfig> ReadJobFile(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kJobBytesMax));
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || text[first] != '{') return ReadJobYaml(text, path);
  absl::StatusOr<JobConfig> config = ReadJobJson(text);
  if (config.ok()) return config;
  return absl::Status(config.status().code(), absl::StrCat(path, ": ", config.status().message()));
}

}  // namespace fpo
