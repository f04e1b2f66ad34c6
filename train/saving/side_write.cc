#include "train/saving/side_write.h"

#include <ATen/ATen.h>

#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "common/observe/work.h"
#include "train/torch_status.h"

namespace fpo::train {

SideWrite::~SideWrite() {
  if (thread_.joinable()) thread_.join();
}

void SideWrite::Start(std::function<absl::Status()> write) {
  done_ = std::make_unique<absl::Notification>();
  thread_ = std::thread([this, write = std::move(write)]() mutable {
    const BackgroundWork background(&work_);
    result_ = RunTorch(write);
    write = nullptr;  // with the copies that it held
    done_->Notify();
  });
}

// The thread that writes may report no work of its own beside training; here its work is that of
// the caller, who must not seem to hang.
absl::Status SideWrite::Wait(const std::string& what) {
  const Work work({"", what, 0, 0, ""});
  int64_t seen = work_;
  while (!done_->WaitForNotificationWithTimeout(absl::Seconds(1))) {
    if (work_ == seen) continue;
    seen = work_;
    AdvanceWork(0);
  }
  thread_.join();
  return result_;
}

at::Tensor HostCopy(const at::Tensor& tensor) {
  const at::Tensor copy = tensor.detach().to(tensor.options().device(at::kCPU),
                                             /*non_blocking=*/false, /*copy=*/true);
  AdvanceWork(0);
  return copy;
}

}  // namespace fpo::train
