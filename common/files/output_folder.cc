#include "common/files/output_folder.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/posix_status.h"
#include "common/job/job_difference.h"
#include "common/job/job_file.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"

namespace fpo {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kRunBytesMax = int64_t{4} << 20;
constexpr char kSmokeSuffix[] = "-smoke";
constexpr size_t kNameMax = 63;

// Falls back to the file's modification time.
absl::Time WrittenAt(const std::string& path) {
  std::error_code error;
  const auto written = fs::last_write_time(path, error);
  if (error) return absl::InfinitePast();
  return absl::FromChrono(std::chrono::file_clock::to_sys(written));
}

// Reads run.json. A torn file, or one of another form, is ignored: the run is not finished.
void ReadRunJson(const std::string& path, FolderRun* run) {
  const absl::StatusOr<std::string> text = ReadFile(path, kRunBytesMax);
  if (!text.ok()) return;
  const absl::StatusOr<nlohmann::json> json = ParseJson(*text);
  if (!json.ok()) return;
  std::string finished_at, stopped_early;
  (void)ReadMember(*json, "job_id", &run->job_id);
  (void)ReadMember(*json, "finished", &run->finished);
  (void)ReadMember(*json, "steps", &run->steps);
  (void)ReadMember(*json, "finished_at", &finished_at);
  (void)ReadMember(*json, "stopped_early", &stopped_early);
  run->stopped_early = !stopped_early.empty();
  if (!run->finished) return;
  if (!absl::ParseTime(absl::RFC3339_full, finished_at, &run->finished_at, nullptr)) {
    run->finished_at = WrittenAt(path);
  }
}

// Whether a run that ended early would have ended there for `job` too.
bool EndsAlike(const EvaluateSection& run, const EvaluateSection& job) {
  return run.patience == job.patience && run.min_improvement == job.min_improvement &&
         run.every_steps == job.every_steps && run.pairs == job.pairs;
}

}  // namespace

std::string FolderRun::Describe() const {
  std::string text = absl::StrCat("the run of job \"", job.name, "\"");
  if (!job_id.empty()) absl::StrAppend(&text, " (", job_id, ")");
  if (!finished) return absl::StrCat(text, ", not finished");
  return absl::StrCat(text, ", finished ",
                      absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", finished_at, absl::UTCTimeZone()));
}

absl::StatusOr<std::optional<FolderRun>> ReadFolderRun(const std::string& folder) {
  std::error_code error;
  if (folder.empty() || !fs::exists(folder + "/job.yaml", error)) return std::nullopt;
  FolderRun run;
  run.folder = folder;
  FPO_ASSIGN_OR_RETURN(run.job, ReadJobFile(folder + "/job.yaml"));
  ReadRunJson(folder + "/run.json", &run);
  return run;
}

absl::Status CheckSameRun(const FolderRun& run, const JobConfig& job, const std::string& advice) {
  // Of a finished run nothing is read any more that could be compared.
  const std::vector<JobDifference> differences =
      HasAllSteps(run, job) ? RunDifferences(job, run.job) : DecidingDifferences(job, run.job);
  if (differences.empty()) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(
      "output folder ", run.folder, " holds ", run.Describe(), ", with other settings: ",
      DescribeDifferences(differences, "here", "in the folder"), "; ", advice));
}

bool HasAllSteps(const FolderRun& run, const JobConfig& job) {
  if (!run.finished) return false;
  if (job.max_steps.has_value() && *job.max_steps <= run.steps) return true;
  if (run.stopped_early && !EndsAlike(run.job.evaluate, job.evaluate)) return false;
  constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();
  return job.max_steps.value_or(kNoLimit) <= run.job.max_steps.value_or(kNoLimit) &&
         job.epochs <= run.job.epochs;
}

void MakeSmokeNames(JobConfig* job) {
  const size_t room = kNameMax - (sizeof(kSmokeSuffix) - 1);
  job->name = absl::StrCat(job->name.substr(0, room), kSmokeSuffix);
  while (job->output.size() > 1 && job->output.back() == '/') job->output.pop_back();
  absl::StrAppend(&job->output, kSmokeSuffix);
  std::erase_if(job->labels, [](const auto& label) { return label.first == "smoke"; });
  job->labels.emplace_back("smoke", "yes");
}

bool IsSmoke(const JobConfig& job) {
  const std::pair<std::string, std::string> label("smoke", "yes");
  return absl::EndsWith(job.name, kSmokeSuffix) && absl::EndsWith(job.output, kSmokeSuffix) &&
         std::find(job.labels.begin(), job.labels.end(), label) != job.labels.end();
}

absl::Status RemoveRun(const std::string& folder) {
  for (const char* name :
       {"run.json", "admission.json", "metrics.jsonl", "report.html", "evaluation.json",
        "features.json", "reference.fpr", "checkpoints", "answers.json",
        "answers.json.settings.json", "answers.jsonl", "answers.jsonl.settings.json", "model",
        "prepared", "prepared.again", "evaluations", "tensorboard", "inputs.json", "job.yaml"}) {
    std::error_code error;
    const std::string path = absl::StrCat(folder, "/", name);
    fs::remove_all(path, error);
    if (error) return PosixError(error.value(), "remove", path);
  }
  return absl::OkStatus();
}

}  // namespace fpo
