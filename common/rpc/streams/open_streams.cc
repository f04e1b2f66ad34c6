#include "common/rpc/streams/open_streams.h"

#include "common/rpc/unary_call.h"

namespace fpo {

absl::Status OpenStreams::Add(OpenStream* stream, const std::string& caller) {
  absl::MutexLock lock(&mutex_);
  if (streams_.size() >= streams_max_) return TooManyCalls(program_);
  size_t& of_caller = by_caller_[caller];
  if (of_caller >= caller_streams_max_) return TooManyCalls(program_);
  ++of_caller;
  streams_.emplace(stream, caller);
  if (!ended_.ok()) stream->End(ended_);
  return absl::OkStatus();
}

void OpenStreams::Remove(OpenStream* stream) {
  absl::MutexLock lock(&mutex_);
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  const auto of_caller = by_caller_.find(found->second);
  if (--of_caller->second == 0) by_caller_.erase(of_caller);
  streams_.erase(found);
}

void OpenStreams::Tick(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  for (const auto& [stream, caller] : streams_) stream->OnTick(now);
}

void OpenStreams::EndAll(const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  ended_ = why;
  for (const auto& [stream, caller] : streams_) stream->End(why);
}

}  // namespace fpo
