#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "cache/rpc/stream_context.h"
#include "common/rpc/streams/answer_stream.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::cache {

// One WaitManifest call: sends how far the manifest is, and again when a tick finds the cache
// changed. Ends with the progress that is complete or has something to claim. Holds no thread while
// it waits.
class WaitManifestStream final : public AnswerStream<fpo::v1::WaitManifestResponse> {
 public:
  WaitManifestStream(const StreamContext& context, const fpo::v1::WaitManifestRequest* request);

  void OnTick(absl::Time now) override;

 private:
  ~WaitManifestStream() override = default;
  absl::Status Open() override;
  void Next() override;

  const StreamContext context_;
  const fpo::v1::WaitManifestRequest request_;
  std::atomic<uint64_t> seen_version_ = 0;  // of the cache, when it was looked at last

  // Of the loop alone.
  Digest manifest_id_{};
  std::optional<ManifestProgress> sent_;
};

}  // namespace fpo::cache
