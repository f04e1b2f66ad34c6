#include "train/loop/micro_batch_size.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "train/device/process_memory.h"
#include "train/events/exit_status.h"
#include "train/torch_status.h"

namespace fpo::train {
namespace {

std::string WithoutAdvice(const absl::Status& status) {
  return std::string(absl::StripSuffix(status.message(), MemoryAdvice()));
}

}  // namespace

MicroBatchSize::MicroBatchSize(Options options)
    : options_(std::move(options)), tokens_(options_.tokens) {}

void MicroBatchSize::Limit(int64_t tokens) { tokens_ = std::clamp<int64_t>(tokens, 1, tokens_); }

absl::Status MicroBatchSize::Run(const std::string& what, const Work& work) {
  while (true) {
    FPO_ASSIGN_OR_RETURN(const bool fits, Try(what, work));
    if (fits) return absl::OkStatus();
  }
}

absl::StatusOr<bool> MicroBatchSize::Try(const std::string& what, const Work& work) {
  Current current;
  if (!options_.halve) {
    FPO_RETURN_IF_ERROR(work(tokens_, &current));
    return true;
  }
  // What the attempt held is gone with its exception.
  const absl::Status status = RunTorch([&] { return work(tokens_, &current); });
  if (ExitCodeOf(status) != ExitCode::kOutOfMemory) {
    FPO_RETURN_IF_ERROR(status);
    return true;
  }
  if (current.items <= 1) {
    return FailWith(ExitCode::kOutOfMemory,
                    absl::StrCat(WithoutAdvice(status), ", in ", what,
                                 " with a micro-batch that cannot be cut (", current.tokens,
                                 " tokens): lower data.max_length, turn on "
                                 "activation_checkpointing, or use a device with more memory"));
  }
  Halve(what, current, status);
  return false;
}

// Until the micro-batch that failed is cut: the others of this work may be smaller than the limit.
void MicroBatchSize::Halve(const std::string& what, const Current& current,
                           const absl::Status& status) {
  const int64_t before = tokens_;
  do {
    tokens_ = std::max<int64_t>(1, tokens_ / 2);
  } while (tokens_ >= current.tokens && tokens_ > 1);
  EmptyDeviceCache(options_.device);
  if (!options_.warn) return;
  options_.warn(absl::StrCat(WithoutAdvice(status), ", in ", what, " with ", current.items,
                             " items of ", current.tokens, " tokens; repeating it with ",
                             "micro-batches of at most ", tokens_, " tokens instead of ", before,
                             " (retry.on_oom: retry)"));
}

}  // namespace fpo::train
