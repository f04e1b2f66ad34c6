#include "ctl/jobs/job_source.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/job/job_file.h"
#include "common/job/job_urls.h"
#include "common/status_macros.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/jobs/input_trial.h"

namespace fpo::ctl {
namespace {

namespace fs = std::filesystem;

std::string NameOf(const std::string& path) { return path == "-" ? "standard input" : path; }

// The system's reason, without the call and the path.
std::string WhyUnreadable(const absl::Status& status) {
  switch (ReasonOf(status)) {
    case ErrorReason::kNoFile:
      return "No such file or directory";
    case ErrorReason::kFileDenied:
      return "Permission denied";
    default:
      return std::string(status.message());
  }
}

// The inputs are on this machine. Workers may see others.
InputTrial TrialBy(const std::string& trainer) {
  return [trainer](const JobConfig& config, std::vector<std::string>* notes) {
    if (ReadsUrls(config)) {
      notes->push_back(
          "template and rows were not tried, since inputs are URLs; the first to look at them is a "
          "worker");
      return std::vector<JobProblem>();
    }
    const absl::StatusOr<InputCheck> check = TryInputs(trainer, config);
    if (!check.ok()) {
      notes->push_back(absl::StrCat("template and rows were not tried: ", check.status().message(),
                                    "; the first to look at them is a worker"));
      return std::vector<JobProblem>();
    }
    notes->insert(notes->end(), check->warnings.begin(), check->warnings.end());
    return check->problems;
  };
}

absl::StatusOr<LoadedJob> Load(const JobSource& source) {
  absl::StatusOr<LoadedJob> job = LoadJob(source);
  if (job.ok() || job.status().code() != absl::StatusCode::kInvalidArgument) return job;
  ErrorInfo info = GetErrorInfo(job.status()).value_or(ErrorInfo());
  info.reason = ErrorReason::kInvalidJob;
  return WithErrorInfo(job.status(), info);
}

}  // namespace

void SetLabel(const std::string& name, const std::string& value, JobConfig* config) {
  std::erase_if(config->labels, [&](const auto& label) { return label.first == name; });
  config->labels.emplace_back(name, value);
}

absl::StatusOr<std::string> ReadJobSource(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return UsageError(absl::StrCat(path, " is a folder, not a job file"),
                      "name the job file in it, e.g. job.yaml");
  }
  absl::StatusOr<std::string> text = ReadJobText(path);
  if (text.ok()) return text;
  if (absl::IsResourceExhausted(text.status()) || absl::IsInvalidArgument(text.status())) {
    return WithErrorInfo(
        absl::InvalidArgumentError(absl::StrCat(path, ":1: ", text.status().message())),
        {.reason = ErrorReason::kInvalidJob,
         .hint = "is this a job file? an example: fpoctl init fpo"});
  }
  const bool absent = absl::IsNotFound(text.status());
  const std::string message =
      absl::StrCat("the job file ", path, " cannot be read: ", WhyUnreadable(text.status()));
  return WithErrorInfo(absent ? absl::NotFoundError(message) : absl::PermissionDeniedError(message),
                       {.reason = ErrorReason::kFileUnreadable,
                        .hint = absent ? "check the name, or start with: fpoctl init fpo > job.yaml"
                                       : "check who may read it: ls -l"});
}

absl::StatusOr<LoadedJob> LoadJobSource(const Environment& environment, const std::string& path,
                                        const std::vector<std::string>& set, InputLook look) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadJobSource(path));
  const bool tries = look == InputLook::kRows && !environment.trainer.empty();
  return Load({text, NameOf(path), JobFolder(path), set, environment.variables,
               tries ? TrialBy(environment.trainer) : InputTrial()});
}

absl::StatusOr<LoadedJob> ParseJobSource(const Environment& environment, const std::string& path,
                                         const std::string& text, const JobChanges& changes) {
  return Load(
      {text, NameOf(path), JobFolder(path), changes.set, environment.variables, {}, changes.run});
}

std::vector<std::string> WordsAbout(const LoadedJob& job, const std::string& path) {
  std::vector<std::string> words = job.notes;
  for (const auto* problems : {&job.missing, &job.unfit}) {
    for (const JobProblem& problem : *problems) {
      words.push_back(ProblemLine(problem, NameOf(path)));
    }
  }
  return words;
}

}  // namespace fpo::ctl
