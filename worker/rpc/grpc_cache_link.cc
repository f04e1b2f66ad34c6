#include "worker/rpc/grpc_cache_link.h"

#include <vector>

#include "common/rpc/channel.h"
#include "common/status_macros.h"

namespace fpo::worker {

GrpcCacheLink::GrpcCacheLink(const Options& options, ReferenceCacheClient calls)
    : address_(options.address), calls_(std::move(calls)) {
  if (options.registry == nullptr) return;
  const auto counter = [&](const char* result) {
    return options.registry->AddCounter("fpo_agent_cache_calls_total",
                                        "Calls of the cache, by whether it answered.",
                                        {{"result", result}});
  };
  answered_ = counter("answered");
  unreachable_ = counter("unreachable");
}

void GrpcCacheLink::Count(const absl::Status& status) {
  if (absl::IsCancelled(status)) return;  // by this program
  const bool unreachable = absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
  (unreachable ? unreachable_ : answered_).Add();
}

absl::StatusOr<std::unique_ptr<GrpcCacheLink>> GrpcCacheLink::Create(const Options& options) {
  FPO_ASSIGN_OR_RETURN(
      auto control,
      MakeChannel(options.address, {.tls = options.tls, .token_file = options.token_file}));
  FPO_ASSIGN_OR_RETURN(
      auto bulk, MakeChannel(options.address,
                             {.tls = options.tls, .token_file = options.token_file, .bulk = true}));
  ReferenceCacheClient calls(control, bulk,
                             {.release_time = absl::Seconds(2),
                              .manifest_time = absl::Minutes(5),
                              .upload_time = absl::Minutes(5),
                              .pull_time = absl::Hours(1)});
  return std::unique_ptr<GrpcCacheLink>(new GrpcCacheLink(options, std::move(calls)));
}

absl::StatusOr<PutCounts> GrpcCacheLink::PutRecords(const RecordUpload& upload,
                                                    std::stop_token stop) {
  std::vector<PackedFrame> frames;
  for (const PackedRecord& record : upload.records) AddToFrames(record, &frames);
  std::vector<PutBatch> batches;
  for (const PackedFrame& frame : frames) {
    const double share =
        static_cast<double>(frame.records) / static_cast<double>(upload.records.size());
    batches.push_back({.claim_id = upload.claim_id,
                       .packed = frame.packed,
                       .cost = {upload.cost.seconds * share, upload.cost.flops * share}});
  }
  return Counted(calls_.PutRecords(upload.manifest_id, batches, std::move(stop)));
}

}  // namespace fpo::worker
