#include "common/job/job_file.h"

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/error_info.h"
#include "common/files/posix_status.h"
#include "common/job/job_advice.h"
#include "common/job/job_node.h"
#include "common/job/job_paths.h"
#include "common/job/job_reader.h"
#include "common/job/job_urls.h"
#include "common/job/job_yaml.h"
#include "common/job/method_table.h"
#include "common/job/unfit_inputs.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr size_t kJobBytesMax = 256 * 1024;

absl::Status TooLarge(size_t bytes) {
  return absl::InvalidArgumentError(
      absl::StrCat("the job has ", bytes, " bytes, limit ", kJobBytesMax));
}

std::string DefaultSource(const JobConfig& config) {
  const std::string& kind = config.kind;
  if (kind == "sae" || kind == "generate" || kind == "judge") return "none";
  return DefaultReferenceSource(config.method);
}

bool IsGiven(const JobNode& root, absl::string_view section, absl::string_view key) {
  const JobNode* node = root.Find(section);
  return node != nullptr && node->Find(key) != nullptr;
}

// Fills in defaults that depend on other keys. (job_fields.cc describes them.)
void FillDefaults(const JobNode& root, JobConfig* config) {
  const MethodInfo* method = FindMethod(config->method.name);
  if (method != nullptr && method->beta > 0 && !IsGiven(root, "method", "beta")) {
    config->method.beta = method->beta;
  }
  config->method.constraint = ConstraintOf(config->method);
  if (config->max_steps.has_value() && !IsGiven(root, "schedule", "warmup_steps")) {
    config->schedule.warmup_steps =
        std::min(config->schedule.warmup_steps, *config->max_steps / 10);
  }
  DataSection& data = config->data;
  if (data.max_prompt_length >= data.max_length && !IsGiven(root, "data", "max_prompt_length")) {
    data.max_prompt_length = data.max_length / 2;
  }
  if (config->reference.source.empty()) config->reference.source = DefaultSource(*config);
  if (config->reference.source == "none") return;
  if (config->reference.path.empty()) config->reference.path = config->model.path;
}

absl::Status AsStatus(std::vector<JobProblem> problems, absl::string_view file) {
  std::stable_sort(problems.begin(), problems.end(),
                   [](const JobProblem& a, const JobProblem& b) { return a.line < b.line; });
  std::vector<std::string> lines;
  for (const JobProblem& problem : problems) lines.push_back(ProblemLine(problem, file));
  return WithErrorInfo(absl::InvalidArgumentError(absl::StrJoin(lines, "\n")),
                       {.field = problems.front().key});
}

// Adds problems found after reading, each with its line, unless the key already has one.
void AddProblems(const JobNode& root, std::vector<JobProblem> found,
                 std::vector<JobProblem>* problems) {
  for (JobProblem& problem : found) {
    const bool known =
        std::any_of(problems->begin(), problems->end(), [&](const JobProblem& other) {
          return other.key == problem.key || absl::StartsWith(problem.key, other.key + ".") ||
                 other.key == "method.name";
        });
    problem.line = LineOfKey(root, problem.key);
    if (!known) problems->push_back(std::move(problem));
  }
}

// Next to the job file; a job without a file, sent between programs, must name it.
void FillOutput(const JobNode& root, JobConfig* config) {
  if (root.Find("output") == nullptr && !config->name.empty()) {
    config->output = "runs/" + config->name;
  }
}

// Reads what can be read even when some of it is wrong, so that all problems are reported at once.
JobConfig FromTree(const JobNode& root, bool has_file, std::vector<JobProblem>* problems) {
  JobConfig config;
  const bool map = root.kind == JobNode::Kind::kMap;
  if (problems->empty() || map) ReadJobTree(root, &config, problems);
  FillDefaults(root, &config);
  if (has_file) FillOutput(root, &config);
  if (map) AddProblems(root, ValidateJob(config), problems);
  // A file's URLs may have variables in them.
  if (map && !has_file) AddProblems(root, UrlProblems(config), problems);
  return config;
}

bool IsWithin(absl::string_view key, absl::string_view changed) {
  return key == changed || absl::StartsWith(key, absl::StrCat(changed, "."));
}

// Problems of keys that a run changes lie in the run's file.
void PlaceInRun(const JobRun* run, std::vector<JobProblem>* problems) {
  if (run == nullptr) return;
  for (JobProblem& problem : *problems) {
    if (!problem.file.empty()) continue;
    const bool changed =
        std::any_of(run->changes.begin(), run->changes.end(),
                    [&](const auto& change) { return IsWithin(problem.key, change.key); });
    if (!changed) continue;
    problem.file = run->file;
    if (problem.line == 0) problem.line = run->line;
  }
}

// The others may be right in the job file, and wrong only together with the run's changes.
void NameRun(const JobRun* run, std::vector<JobProblem>* problems) {
  PlaceInRun(run, problems);
  if (run == nullptr) return;
  for (JobProblem& problem : *problems) {
    if (!problem.file.empty()) continue;
    absl::StrAppend(&problem.message, " (under the run \"", run->name, "\", ", run->file, ":",
                    run->line, ")");
  }
}

absl::StatusOr<LoadedJob> Load(const JobNode& root, const JobSource& source,
                               std::vector<JobProblem> problems) {
  LoadedJob job;
  const JobConfig written = FromTree(root, true, &problems);
  AddProblems(root, CheckNewName(written.name), &problems);
  job.config = written;
  AddProblems(root, ResolveJobPaths(source, &job.config), &problems);
  AddProblems(root, UrlProblems(job.config), &problems);
  NameRun(source.run, &problems);
  if (!problems.empty()) return AsStatus(std::move(problems), source.file);
  job.notes = UnusedKeys(root, job.config);
  AddProblems(root, MissingInputs(written, job.config), &job.missing);
  AddProblems(root, UnfitInputs(job.config), &job.unfit);
  if (source.trial && job.missing.empty() && job.unfit.empty()) {
    AddProblems(root, source.trial(job.config, &job.notes), &job.unfit);
  }
  PlaceInRun(source.run, &job.missing);
  PlaceInRun(source.run, &job.unfit);
  return job;
}

bool IsJson(absl::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != absl::string_view::npos && text[first] == '{';
}

absl::Status About(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

// Values from the command line have no line in the file.
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

void ApplyRun(const JobRun& run, JobNode* root, std::vector<JobProblem>* problems) {
  for (const JobRun::Change& change : run.changes) {
    const absl::Status status = SetJobNode(root, change.key, change.value);
    if (!status.ok()) {
      problems->push_back({change.value.line, change.key, std::string(status.message()), run.file});
    }
  }
}

}  // namespace

std::string ProblemLine(const JobProblem& problem, absl::string_view file) {
  std::string line(problem.file.empty() ? file : problem.file);
  if (problem.line > 0) absl::StrAppend(&line, ":", problem.line);
  absl::StrAppend(&line, line.empty() ? "" : ": ", problem.key, problem.key.empty() ? "" : ": ",
                  problem.message);
  return line;
}

absl::StatusOr<JobConfig> ReadJobYaml(absl::string_view text, absl::string_view file,
                                      const std::vector<std::string>& set) {
  if (text.size() > kJobBytesMax) return TooLarge(text.size());
  std::vector<JobProblem> problems;
  FPO_ASSIGN_OR_RETURN(JobNode root, ParseJobYaml(text, &problems));
  FPO_RETURN_IF_ERROR(ApplySet(set, &root, &problems));
  JobConfig config = FromTree(root, true, &problems);
  if (!problems.empty()) return AsStatus(std::move(problems), file);
  return config;
}

absl::StatusOr<JobConfig> ReadJobJson(absl::string_view text) {
  if (text.size() > kJobBytesMax) return TooLarge(text.size());
  FPO_ASSIGN_OR_RETURN(const JobNode root, JobNodeFromJson(text));
  std::vector<JobProblem> problems;
  JobConfig config = FromTree(root, false, &problems);
  if (!problems.empty()) return AsStatus(std::move(problems), "");
  return config;
}

absl::StatusOr<JobConfig> ReadJobFile(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kJobBytesMax));
  if (!IsJson(text)) return ReadJobYaml(text, path);
  absl::StatusOr<JobConfig> config = ReadJobJson(text);
  return config.ok() ? std::move(config) : About(path, config.status());
}

absl::StatusOr<LoadedJob> LoadJob(const JobSource& source) {
  if (source.text.size() > kJobBytesMax) return TooLarge(source.text.size());
  std::vector<JobProblem> problems;
  FPO_ASSIGN_OR_RETURN(JobNode root, ParseJobYaml(source.text, &problems));
  FPO_RETURN_IF_ERROR(ApplySet(source.set, &root, &problems));
  if (source.run != nullptr) ApplyRun(*source.run, &root, &problems);
  return Load(root, source, std::move(problems));
}

absl::StatusOr<std::string> ReadJobText(const std::string& path) {
  if (path != "-") return ReadFile(path, kJobBytesMax);
  std::string text(kJobBytesMax + 1, '\0');
  std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::cin.gcount()));
  if (text.size() > kJobBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("standard input has more than the ", kJobBytesMax, " bytes of a job"));
  }
  return text;
}

std::string JobFolder(const std::string& path) {
  std::error_code error;  // a pipe, e.g. of "<(...)", lies in no folder
  const bool piped = path == "-" || std::filesystem::is_fifo(path, error) ||
                     std::filesystem::is_character_file(path, error);
  if (piped) return std::filesystem::current_path().string();
  return std::filesystem::absolute(path).parent_path().string();
}

absl::StatusOr<LoadedJob> LoadJobFile(const std::string& path, const Variables& variables) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadJobText(path));
  const JobSource source{
      text, path == "-" ? "standard input" : path, JobFolder(path), {}, variables};
  if (!IsJson(text)) return LoadJob(source);
  // A job in JSON, sent between programs, sets every key, so unused ones are not reported.
  const absl::StatusOr<JobNode> root = JobNodeFromJson(text);
  if (!root.ok()) return About(source.file, root.status());
  absl::StatusOr<LoadedJob> job = Load(*root, source, {});
  if (job.ok()) job->notes.clear();
  return job;
}

}  // namespace fpo
