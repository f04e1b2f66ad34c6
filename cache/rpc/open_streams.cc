#include "cache/rpc/open_streams.h"

namespace fpo::cache {

bool OpenStreams::Add(OpenStream* stream) {
  absl::MutexLock lock(&mutex_);
  if (streams_.size() >= streams_max_) return false;
  streams_.insert(stream);
  return true;
}

void OpenStreams::Remove(OpenStream* stream) {
  absl::MutexLock lock(&mutex_);
  streams_.erase(stream);
}

void OpenStreams::Tick(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  for (OpenStream* stream : streams_) stream->OnTick(now);
}

}  // namespace fpo::cache
