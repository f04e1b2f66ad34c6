#include "worker/core/host/host_check.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "worker/core/host/preflight.h"

namespace fpo::worker {
namespace {

constexpr size_t kWordsBytesMax = 2000;

// Answers of the trainer are not part of a job's log.
class AnswerSink final : public RankSink {
 public:
  void OnLine(int32_t, LineStream, const std::string& text) override {
    if (text_.size() < kWordsBytesMax) absl::StrAppend(&text_, text_.empty() ? "" : " ", text);
  }
  void OnEvent(int32_t, const TrainEvent&, const std::string&) override {}
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

absl::Status OfThisHost(const absl::Status& status) {
  if (status.ok() || absl::IsCancelled(status)) return status;
  return absl::FailedPreconditionError(status.message());
}

absl::Status CheckFolder(const HostNeeds& needs) {
  const std::string jobs = needs.work_dir + "/jobs";
  std::error_code error;
  std::filesystem::create_directories(jobs, error);
  if (error) return PosixError(error.value(), "mkdir", jobs);
  if (access(jobs.c_str(), W_OK | X_OK) != 0) return PosixError(errno, "write to", jobs);
  return CheckFreeBytes(needs.work_dir, needs.disk_reserve_bytes);
}

}  // namespace

absl::StatusOr<std::string> AskTrainer(RankCommand trainer, const std::vector<std::string>& words,
                                       absl::Duration answer_time, ProcessSet* processes) {
  trainer.spawn.argv.resize(1);
  trainer.spawn.argv.insert(trainer.spawn.argv.end(), words.begin(), words.end());
  AnswerSink sink;
  const absl::StatusOr<RankProcess*> process = processes->Start(trainer, sink);
  FPO_RETURN_IF_ERROR(OfThisHost(process.status()));
  RankExit exit;
  const bool answered = (*process)->WaitFor(answer_time, &exit);
  if (!answered) (*process)->Stop(absl::ZeroDuration());
  exit = processes->Wait(*process);
  if (answered && exit.ended && exit.code == 0 && exit.signal == 0) return sink.text();
  if (answered && exit.stopped) return absl::CancelledError("stopped on request");
  const std::string what = answered ? DescribeExit(exit) : "no answer in time";
  return absl::FailedPreconditionError(
      absl::StrCat(trainer.spawn.argv[0], " ", words.front(), ": ", what, ": ", sink.text()));
}

absl::StatusOr<std::string> CheckHost(const HostNeeds& needs, const RankCommand& trainer,
                                      ProcessSet* processes) {
  FPO_RETURN_IF_ERROR(OfThisHost(CheckFolder(needs)));
  if (needs.gate != nullptr) FPO_RETURN_IF_ERROR(needs.gate->Check(needs.slots));
  FPO_ASSIGN_OR_RETURN(std::string version,
                       AskTrainer(trainer, {"--version"}, needs.answer_time, processes));
  if (needs.device == "cuda") {
    FPO_RETURN_IF_ERROR(AskTrainer(trainer, {"inspect", "--devices", "--device", "cuda"},
                                   needs.answer_time, processes)
                            .status());
  }
  return version;
}

}  // namespace fpo::worker
