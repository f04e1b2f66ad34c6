#include "coordinator/rpc/streams/stream_loop.h"

namespace fpo::coordinator {

void StreamLoop::Wake() {
  if (wakes_.fetch_add(1) == 0) pool_->Run([this] { Run(); });
}

void StreamLoop::Run() {
  const int64_t seen = wakes_.load();
  if (!step_()) return;
  // Asked again meanwhile: queue behind the other streams instead of looping here.
  if (wakes_.fetch_sub(seen) != seen) pool_->Run([this] { Run(); });
}

void OpenStreams::Add(OpenStream* stream) {
  absl::MutexLock lock(&mu_);
  streams_.insert(stream);
  if (!ended_.ok()) stream->End(ended_);
}

void OpenStreams::Remove(OpenStream* stream) {
  absl::MutexLock lock(&mu_);
  streams_.erase(stream);
}

void OpenStreams::EndAll(const absl::Status& why) {
  absl::MutexLock lock(&mu_);
  ended_ = why;
  for (OpenStream* stream : streams_) stream->End(why);
}

}  // namespace fpo::coordinator
