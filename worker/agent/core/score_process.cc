#include "worker/agent/core/score_process.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status_macros.h"

namespace fpo::agent {
namespace {

constexpr absl::Duration kTick = absl::Seconds(1);
constexpr absl::Duration kExitCheck = absl::Milliseconds(100);
constexpr absl::Duration kFinishTime = absl::Seconds(10);

}  // namespace

absl::Status ScoreProcess::Start() {
  if (process_ != nullptr) return absl::OkStatus();
  {
    absl::MutexLock lock(&mutex_);
    loaded_ = false;
  }
  output_->ForgetWords();
  FPO_ASSIGN_OR_RETURN(process_, processes_->Start(command_, *this));
  return Await(&loaded_, [](int64_t) {});
}

absl::StatusOr<double> ScoreProcess::Score(const std::vector<int64_t>& ordinals,
                                           const std::string& file,
                                           const std::function<void(int64_t done)>& on_tick) {
  if (process_ == nullptr) return absl::FailedPreconditionError("the scorer was not started");
  {
    absl::MutexLock lock(&mutex_);
    answered_ = false;
    done_ = 0;
  }
  const absl::Status sent = process_->Send({.kind = "score", .ordinals = ordinals, .file = file});
  // A process that no longer reads is about to end, which says more.
  if (!sent.ok()) process_->Stop(kFinishTime);
  FPO_RETURN_IF_ERROR(Await(&answered_, on_tick));
  absl::MutexLock lock(&mutex_);
  if (answered_file_ == file && answered_count_ == static_cast<int64_t>(ordinals.size())) {
    return answered_flops_;
  }
  return absl::InternalError(absl::StrCat("the scorer answered ", answered_count_, " records in ",
                                          answered_file_, "; asked were ", ordinals.size(), " in ",
                                          file));
}

absl::Status ScoreProcess::Await(const bool* flag, const std::function<void(int64_t)>& on_tick) {
  absl::Time next_tick = absl::Now() + kTick;
  for (;;) {
    int64_t done = 0;
    {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(flag), kExitCheck)) return absl::OkStatus();
      done = done_;
    }
    RankExit exit;
    if (process_->WaitUntil(absl::InfinitePast(), &exit)) return Ended();
    if (absl::Now() < next_tick) continue;
    next_tick = absl::Now() + kTick;
    on_tick(done);
  }
}

absl::Status ScoreProcess::Ended() {
  const RankExit exit = processes_->Wait(std::exchange(process_, nullptr));
  survived_kill_ = !exit.gone;
  if (stop_.stop_requested()) return absl::CancelledError("stopped on request");
  failure_ = PhaseEnd{EndClass(exit), absl::StrCat("the scorer ended: ", ExitWords(exit)),
                      IsDeviceFault(exit)};
  if (failure_->ok()) failure_->end_class = "program";  // nobody told it to end
  const std::string words = output_->LastWords(command_.identity.rank);
  if (!words.empty()) absl::StrAppend(&failure_->message, ": ", words);
  return absl::AbortedError(failure_->message);
}

void ScoreProcess::Finish() {
  if (process_ == nullptr) return;
  RankExit exit;
  const bool asked = process_->Send({.kind = "stop", .ordinals = {}, .file = ""}).ok();
  if (!asked || !process_->WaitUntil(absl::Now() + kFinishTime, &exit)) {
    process_->Stop(absl::ZeroDuration());
  }
  survived_kill_ = !processes_->Wait(std::exchange(process_, nullptr)).gone;
}

void ScoreProcess::OnLine(int32_t rank, const std::string& stream, const std::string& text) {
  output_->OnLine(rank, stream, text);
}

void ScoreProcess::OnEvent(int32_t rank, const TrainEvent& event, const std::string& json) {
  {
    absl::MutexLock lock(&mutex_);
    if (event.kind == "hello") loaded_ = true;
    if (event.kind == "progress") done_ = event.done;
    if (event.kind == "records") {
      answered_ = true;
      answered_file_ = event.file;
      answered_count_ = event.count;
      const auto flops = event.metrics.find("flops");
      answered_flops_ = flops == event.metrics.end() ? 0 : flops->second;
    }
  }
  // Its progress is within one command; the phase reports that of the whole manifest.
  if (event.kind != "progress" && event.kind != "records") output_->OnEvent(rank, event, json);
}

}  // namespace fpo::agent
