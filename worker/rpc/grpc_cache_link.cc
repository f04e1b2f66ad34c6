#include "worker/rpc/grpc_cache_link.h"

#include <vector>

#include "common/rpc/channel.h"
#include "common/status_macros.h"

namespace fpo::worker {

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
  return std::unique_ptr<GrpcCacheLink>(new GrpcCacheLink(options.address, std::move(calls)));
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
  return calls_.PutRecords(upload.manifest_id, batches, std::move(stop));
}

}  // namespace fpo::worker
