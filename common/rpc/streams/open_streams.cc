#include "common/rpc/streams/open_streams.h"

#include "common/rpc/unary_call.h"

namespace fpo {

absl::Status OpenStreams::Add(OpenStream* stream) {
  absl::MutexLock lock(&mutex_);
  if (streams_.size() >= streams_max_) return TooManyCalls(program_);
  streams_.insert(stream);
  if (!ended_.ok()) stream->End(ended_);
  return absl::OkStatus();
}

void OpenStreams::Remove(OpenStream* stream) {
  absl::MutexLock lock(&mutex_);
  streams_.erase(stream);
}

void OpenStreams::Tick(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  for (OpenStream* stream : streams_) stream->OnTick(now);
}

void OpenStreams::EndAll(const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  ended_ = why;
  for (OpenStream* stream : streams_) stream->End(why);
}

}  // namespace fpo
