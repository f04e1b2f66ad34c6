#include "worker/trainer/train/run_folder.h"

#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/job_file.h"
#include "common/status_macros.h"
#include "worker/trainer/checkpoint/durable_file.h"
#include "worker/trainer/train/exit_status.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

std::string Fingerprint(JobConfig job) {
  const JobConfig defaults;
  job.name.clear();
  job.labels.clear();
  job.output.clear();
  job.resources = defaults.resources;
  job.retry = defaults.retry;
  job.checkpoint = defaults.checkpoint;
  job.evaluate = defaults.evaluate;
  if (job.schedule.name == "constant") {
    job.max_steps.reset();
    job.epochs = 1;
  }
  return WriteJobJson(job);
}

bool IsFinished(const std::string& path) {
  const auto text = ReadWholeFile(path + "/run.json");
  if (!text.ok()) return false;
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  return json.is_object() && json.value("finished", false);
}

// Every rank checks, at the same time.
absl::Status CheckWritable(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  const std::string file = absl::StrCat(path, "/.writable-", getpid());
  const absl::Status probe = WriteFileDurably(file, "");
  if (error || !probe.ok()) {
    return FailWith(ExitCode::kStorage,
                    absl::StrCat("output folder ", path, " cannot be written: ",
                                 error ? error.message() : std::string(probe.message()),
                                 "; choose another --out or fix its permissions"));
  }
  fs::remove(file, error);
  return absl::OkStatus();
}

}  // namespace

bool SameRun(const JobConfig& a, const JobConfig& b) { return Fingerprint(a) == Fingerprint(b); }

absl::StatusOr<RunFolder> RunFolder::Open(const std::string& path, const JobConfig& job,
                                          bool resume) {
  FPO_RETURN_IF_ERROR(CheckWritable(path));
  const std::string job_file = path + "/job.yaml";
  if (!fs::exists(job_file)) return RunFolder(path, State::kFresh);
  if (!resume) {
    return absl::AlreadyExistsError(
        absl::StrCat("output folder ", path,
                     " already holds a run; continue it with --resume, or "
                     "choose another --out"));
  }
  FPO_ASSIGN_OR_RETURN(const JobConfig other, ReadJobFile(job_file));
  if (!SameRun(job, other)) {
    return absl::AlreadyExistsError(
        absl::StrCat("output folder ", path, " holds the run of another job (", other.name,
                     "); --resume needs the same settings as its job.yaml. Choose another --out"));
  }
  return RunFolder(path, IsFinished(path) ? State::kFinished : State::kStarted);
}

absl::Status RunFolder::WriteJob(const JobConfig& job) const {
  return AsStorageError(WriteFileDurably(File("job.yaml"), WriteJobYaml(job)));
}

absl::Status RunFolder::WriteRunJson(const std::string& json) const {
  return AsStorageError(WriteFileDurably(File("run.json"), json));
}

absl::Status RunFolder::CopyAdmission(const std::string& prepared) const {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(prepared + "/admission.json"));
  return AsStorageError(WriteFileDurably(File("admission.json"), text));
}

}  // namespace fpo::train
