#include "common/rpc/streams/stream_loop.h"

namespace fpo {

void StreamLoop::Wake() {
  if (wakes_.fetch_add(1) == 0) pool_->Run([this] { Run(); });
}

void StreamLoop::Run() {
  const int64_t seen = wakes_.load();
  if (!step_()) return;
  // Asked again meanwhile: queue behind the other streams instead of looping here.
  if (wakes_.fetch_sub(seen) != seen) pool_->Run([this] { Run(); });
}

}  // namespace fpo
