#include "worker/core/reference/score_process.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "common/waits/steady_wait.h"

namespace fpo::worker {
namespace {

constexpr absl::Duration kTick = absl::Seconds(1);
constexpr absl::Duration kExitCheck = absl::Milliseconds(100);
constexpr absl::Duration kFinishTime = absl::Seconds(10);
constexpr absl::Duration kNoteInterval = absl::Seconds(8);  // of lines about one slow command

}  // namespace

absl::Status ScoreProcess::Start() {
  if (process_ != nullptr) return absl::OkStatus();
  {
    absl::MutexLock lock(&mutex_);
    loaded_ = false;
    heard_ = BootNow();
  }
  output_->ForgetOutput();
  FPO_ASSIGN_OR_RETURN(process_, processes_->Start(options_.command, *this));
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
    heard_ = noted_ = BootNow();
  }
  const absl::Status sent = process_->Send({.kind = "score", .ordinals = ordinals, .file = file});
  // A process that no longer reads is about to end; its exit says more.
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
  const absl::Time start = BootNow();
  absl::Time next_tick = start + kTick;
  for (;;) {
    int64_t done = 0;
    {
      absl::MutexLock lock(&mutex_);
      if (AwaitFor(&mutex_, absl::Condition(flag), kExitCheck)) return absl::OkStatus();
      done = done_;
    }
    RankExit exit;
    if (process_->WaitFor(absl::ZeroDuration(), &exit)) return Ended();
    if (IsHung()) {
      hung_ = true;
      process_->Stop(absl::ZeroDuration());
      return Ended();
    }
    if (BootNow() < next_tick) continue;
    next_tick = BootNow() + kTick;
    on_tick(done);
  }
}

bool ScoreProcess::IsHung() {
  if (options_.stall_timeout <= absl::ZeroDuration()) return false;
  absl::MutexLock lock(&mutex_);
  return BootNow() - heard_ > options_.stall_timeout;
}

void ScoreProcess::Hear() {
  absl::MutexLock lock(&mutex_);
  heard_ = BootNow();
}

absl::Status ScoreProcess::Ended() {
  const RankExit exit = processes_->Wait(std::exchange(process_, nullptr));
  survived_kill_ = !exit.gone;
  if (stop_.stop_requested()) return absl::CancelledError("stopped on request");
  failure_ = PhaseEnd{EndClassOf(exit), absl::StrCat("the scorer ended: ", DescribeExit(exit)),
                      IsDeviceFault(exit)};
  if (failure_->ok()) failure_->end_class = EndClass::kProgram;  // it was not told to end
  const std::string last = output_->LastOutput(options_.command.identity.rank);
  if (!last.empty()) absl::StrAppend(&failure_->message, ": ", last);
  if (hung_) {
    failure_ =
        PhaseEnd{EndClass::kInfrastructure,
                 absl::StrCat("reference: the scorer was silent for ",
                              absl::FormatDuration(options_.stall_timeout), ", taken for hung")};
  }
  return absl::AbortedError(failure_->message);
}

void ScoreProcess::Finish() {
  if (process_ == nullptr) return;
  RankExit exit;
  const bool asked = process_->Send({.kind = "stop", .ordinals = {}, .file = ""}).ok();
  if (!asked || !process_->WaitFor(kFinishTime, &exit)) {
    process_->Stop(absl::ZeroDuration());
  }
  survived_kill_ = !processes_->Wait(std::exchange(process_, nullptr)).gone;
}

void ScoreProcess::OnLine(int32_t rank, LineStream stream, const std::string& text) {
  Hear();
  output_->OnLine(rank, stream, text);
}

void ScoreProcess::OnEvent(int32_t rank, const TrainEvent& event, const std::string& json) {
  {
    absl::MutexLock lock(&mutex_);
    heard_ = BootNow();
    if (event.kind == EventKind::kHello) loaded_ = true;
    if (event.kind == EventKind::kProgress && loaded_) done_ = std::max(done_, event.done);
    if (event.kind == EventKind::kRecords) {
      answered_ = true;
      answered_file_ = event.file;
      answered_count_ = event.count;
      const auto flops = event.metrics.find("flops");
      answered_flops_ = flops == event.metrics.end() ? 0 : flops->second;
    }
  }
  if (event.kind == EventKind::kProgress) return OnProgress(rank, event, json);
  if (event.kind != EventKind::kRecords) output_->OnEvent(rank, event, json);
}

// While it loads, its numbers are the phase's. Within a command they are a small part: the phase
// reports those of the whole manifest, and these become text.
void ScoreProcess::OnProgress(int32_t rank, const TrainEvent& event, const std::string& json) {
  TrainEvent told = event;
  bool note = false;
  {
    absl::MutexLock lock(&mutex_);
    if (loaded_) {
      told.activity = absl::StrCat("scoring ", event.done, " of ", event.total, " ", event.unit,
                                   event.activity.empty() ? "" : ", ", event.activity);
      told.done = told.total = 0;
      told.unit.clear();
      note = BootNow() - noted_ >= kNoteInterval;
      if (note) noted_ = BootNow();
    }
  }
  output_->OnEvent(rank, told, told.unit == event.unit ? json : EncodeEvent(told));
  if (note) output_->Note(absl::StrCat("reference: ", told.activity));
}

}  // namespace fpo::worker
