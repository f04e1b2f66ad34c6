#include "train/runs/background_checkpoints.h"

#include <c10/util/Exception.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "train/device/process_memory.h"
#include "train/events/exit_status.h"

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
  for (const auto& [name, tensor] : tensors) copy.emplace(name, HostCopy(tensor));
  return copy;
}

}  // namespace

BackgroundCheckpoints::BackgroundCheckpoints(std::string out, const Options& options,
                                             EventSink& events)
    : writer_(std::move(out), options.writer), options_(options), events_(events) {}

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
  side_.Start([this, score, content = *std::move(copy)] {
    result_ = writer_.Write(content, score);
    return result_.status();
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

absl::Status BackgroundCheckpoints::Poll() { return side_.done() ? Finish() : absl::OkStatus(); }

absl::Status BackgroundCheckpoints::Finish() {
  if (!side_.running()) return absl::OkStatus();
  const absl::Time start = absl::Now();
  const absl::Status wrote = side_.Wait(absl::StrCat("checkpoint of step ", step_));
  seconds_ += SecondsFrom(start);
  if (!wrote.ok()) return AsStorageError(wrote);
  Announce(*result_);
  return absl::OkStatus();
}

}  // namespace fpo::train
