#include "train/runs/background_checkpoints.h"

#include <c10/util/Exception.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/device/process_memory.h"
#include "train/events/exit_status.h"
#include "train/torch_status.h"

namespace fpo::train {
namespace {

double SecondsFrom(absl::Time start) { return absl::ToDoubleSeconds(absl::Now() - start); }

int64_t BytesOf(const TensorMap& tensors) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += tensor.numel() * tensor.element_size();
  return bytes;
}

TensorMap CopyOf(const TensorMap& tensors) {
  TensorMap copy;
  for (const auto& [name, tensor] : tensors) {
    copy.emplace(name, tensor.detach().to(tensor.options().device(at::kCPU), /*non_blocking=*/false,
                                          /*copy=*/true));
    AdvanceWork(0);
  }
  return copy;
}

}  // namespace

BackgroundCheckpoints::BackgroundCheckpoints(std::string out, const Options& options,
                                             EventSink& events)
    : writer_(std::move(out), options.writer), options_(options), events_(events) {}

BackgroundCheckpoints::~BackgroundCheckpoints() {
  if (thread_.joinable()) thread_.join();
}

// None when memory has no room for it.
std::optional<CheckpointContent> BackgroundCheckpoints::Snapshot(
    const CheckpointContent& content) const {
  const int64_t bytes = BytesOf(content.model) + BytesOf(content.optimizer);
  const int64_t room = options_.memory_bytes.value_or(AvailableMemoryBytes());
  if (bytes + bytes / 8 > room) return std::nullopt;  // the next step may need a little more
  CheckpointContent copy;
  copy.step = content.step;
  copy.state_json = content.state_json;
  try {
    copy.model = CopyOf(content.model);
    copy.optimizer = CopyOf(content.optimizer);
  } catch (const c10::OutOfMemoryError&) {
    return std::nullopt;
  }
  return copy;
}

absl::Status BackgroundCheckpoints::Write(const CheckpointContent& content,
                                          std::optional<double> score, bool last) {
  FPO_RETURN_IF_ERROR(Finish());
  start_ = absl::Now();
  step_ = content.step;
  std::optional<CheckpointContent> copy;
  if (options_.background && !last) copy = Snapshot(content);
  if (!copy.has_value()) return WriteNow(content, score);
  done_ = std::make_unique<absl::Notification>();
  thread_ = std::thread([this, score, content = *std::move(copy)] {
    const BackgroundWork background(&work_);
    const absl::Status status = RunTorch([&] {
      result_ = writer_.Write(content, score);
      return result_.status();
    });
    if (!status.ok()) result_ = status;
    done_->Notify();
  });
  seconds_ += SecondsFrom(start_);
  return absl::OkStatus();
}

absl::Status BackgroundCheckpoints::WriteNow(const CheckpointContent& content,
                                             std::optional<double> score) {
  const auto folder = writer_.Write(content, score);
  seconds_ += SecondsFrom(start_);
  if (!folder.ok()) return AsStorageError(folder.status());
  Announce(*folder);
  return absl::OkStatus();
}

void BackgroundCheckpoints::Announce(const std::string& folder) {
  TrainEvent event = CheckpointEvent(step_, folder, {{"seconds", SecondsFrom(start_)}});
  event.phase = "train";
  events_.Emit(std::move(event));
}

absl::Status BackgroundCheckpoints::Poll() {
  return thread_.joinable() && done_->HasBeenNotified() ? Finish() : absl::OkStatus();
}

// The thread that writes may report no work of its own beside training; here its work is that of
// the caller, who must not seem to hang.
absl::Status BackgroundCheckpoints::Finish() {
  if (!thread_.joinable()) return absl::OkStatus();
  const absl::Time start = absl::Now();
  const Work work({"", absl::StrCat("checkpoint of step ", step_), 0, 0, ""});
  int64_t seen = work_;
  while (!done_->WaitForNotificationWithTimeout(absl::Seconds(1))) {
    if (work_ == seen) continue;
    seen = work_;
    AdvanceWork(0);
  }
  thread_.join();
  seconds_ += SecondsFrom(start);
  if (!result_.ok()) return AsStorageError(result_.status());
  Announce(*result_);
  return absl::OkStatus();
}

}  // namespace fpo::train
