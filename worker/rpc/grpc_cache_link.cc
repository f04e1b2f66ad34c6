#include "worker/rpc/grpc_cache_link.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc/channel.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"
#include "proto/fpo/v1/cache.grpc.pb.h"
#include "worker/rpc/convert.h"

namespace fpo::worker {
namespace {

namespace pb = fpo::v1;

constexpr size_t kKeysPerChunk = 4096;
constexpr size_t kFrameBytesMax = 1 << 20;
// Streams that move data get a limit per call, not per byte; a broken one is resumed.
constexpr absl::Duration kUploadTime = absl::Minutes(5);
constexpr absl::Duration kManifestTime = absl::Minutes(5);
constexpr absl::Duration kPullTime = absl::Hours(1);

// Cancels the call when a stop is requested, for as long as it lives.
class CancelOnStop {
 public:
  CancelOnStop(std::stop_token stop, grpc::ClientContext* context)
      : callback_(std::move(stop), Cancel{context}) {}

 private:
  struct Cancel {
    grpc::ClientContext* context;
    void operator()() const { context->TryCancel(); }
  };
  std::stop_callback<Cancel> callback_;
};

struct Frame {
  std::string packed;
  int64_t records = 0;
};

std::vector<Frame> PackFrames(const std::vector<PackedRecord>& records) {
  std::vector<Frame> frames;
  for (const PackedRecord& record : records) {
    std::string packed;
    AppendPacked(record, &packed);
    if (frames.empty() || frames.back().packed.size() + packed.size() > kFrameBytesMax) {
      frames.emplace_back();
    }
    frames.back().packed += packed;
    ++frames.back().records;
  }
  return frames;
}

}  // namespace

struct GrpcCacheLink::State {
  Options options;
  std::unique_ptr<pb::ReferenceCache::Stub> control;
  std::unique_ptr<pb::ReferenceCache::Stub> bulk;
};

GrpcCacheLink::GrpcCacheLink(std::unique_ptr<State> state) : state_(std::move(state)) {}
GrpcCacheLink::~GrpcCacheLink() = default;

absl::StatusOr<std::unique_ptr<GrpcCacheLink>> GrpcCacheLink::Create(const Options& options) {
  auto state = std::make_unique<State>();
  state->options = options;
  FPO_ASSIGN_OR_RETURN(auto control,
                       MakeChannel(options.address, {.tls = options.tls, .token = options.token}));
  FPO_ASSIGN_OR_RETURN(
      auto bulk,
      MakeChannel(options.address, {.tls = options.tls, .token = options.token, .bulk = true}));
  state->control = pb::ReferenceCache::NewStub(control);
  state->bulk = pb::ReferenceCache::NewStub(bulk);
  return std::unique_ptr<GrpcCacheLink>(new GrpcCacheLink(std::move(state)));
}

std::string GrpcCacheLink::address() const { return state_->options.address; }

absl::StatusOr<ManifestCount> GrpcCacheLink::PutManifest(const ManifestRequest& request,
                                                         std::stop_token stop) {
  grpc::ClientContext context;
  SetDeadline(&context, kManifestTime);
  const CancelOnStop cancel(std::move(stop), &context);
  pb::PutManifestResponse response;
  const auto stream = state_->bulk->PutManifest(&context, &response);
  pb::PutManifestRequest message;
  pb::ManifestHeader& header = *message.mutable_header();
  header.set_recipe(request.recipe);
  header.set_keys(static_cast<int64_t>(request.keys.size()));
  header.set_owner(request.owner);
  header.set_name(request.name);
  header.set_share(request.share);
  bool writable = stream->Write(message);
  for (size_t first = 0; writable && first < request.keys.size(); first += kKeysPerChunk) {
    const size_t end = std::min(request.keys.size(), first + kKeysPerChunk);
    std::string bytes;
    for (size_t i = first; i < end; ++i) bytes += ToBytes(request.keys[i]);
    message.set_keys(std::move(bytes));
    writable = stream->Write(message);
  }
  stream->WritesDone();
  FPO_RETURN_IF_ERROR(FromGrpcStatus(stream->Finish()));
  return FromProto(response);
}

absl::StatusOr<RecordClaim> GrpcCacheLink::Claim(const ClaimRequest& ask) {
  grpc::ClientContext context;
  SetDeadline(&context, kUnaryDeadline);
  pb::ClaimRequest request;
  request.set_manifest_id(ToBytes(ask.manifest));
  request.set_limit(ask.limit);
  request.set_builder(ask.builder);
  request.set_request_id(ask.request_id);
  pb::ClaimResponse response;
  FPO_RETURN_IF_ERROR(FromGrpcStatus(state_->control->Claim(&context, request, &response)));
  return FromProto(response);
}

absl::Status GrpcCacheLink::RenewClaim(uint64_t claim, int64_t records_done) {
  grpc::ClientContext context;
  SetDeadline(&context, kUnaryDeadline);
  pb::RenewClaimRequest request;
  request.set_claim_id(claim);
  request.set_records_done(records_done);
  pb::RenewClaimResponse response;
  return FromGrpcStatus(state_->control->RenewClaim(&context, request, &response));
}

absl::Status GrpcCacheLink::ReleaseClaim(uint64_t claim) {
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(2));
  pb::ReleaseClaimRequest request;
  request.set_claim_id(claim);
  pb::ReleaseClaimResponse response;
  return FromGrpcStatus(state_->control->ReleaseClaim(&context, request, &response));
}

absl::StatusOr<StoredRecords> GrpcCacheLink::PutRecords(const RecordUpload& upload,
                                                        std::stop_token stop) {
  grpc::ClientContext context;
  SetDeadline(&context, kUploadTime);
  const CancelOnStop cancel(std::move(stop), &context);
  const auto stream = state_->bulk->PutRecords(&context);
  pb::PutRecordsRequest message;
  message.set_manifest_id(ToBytes(upload.manifest));
  message.set_claim_id(upload.claim);
  uint64_t seq = 0;
  for (Frame& frame : PackFrames(upload.records)) {
    message.set_seq(++seq);
    message.set_packed(std::move(frame.packed));
    const double share =
        static_cast<double>(frame.records) / static_cast<double>(upload.records.size());
    message.set_seconds(upload.seconds * share);
    message.set_flops(upload.flops * share);
    if (!stream->Write(message)) break;
  }
  stream->WritesDone();
  // Acknowledgements are a few bytes a frame: they never fill the stream's window while we write.
  StoredRecords stored;
  uint64_t durable = 0;
  for (pb::PutRecordsResponse ack; stream->Read(&ack);) {
    durable = ack.last_seq();
    stored = {ack.stored(), ack.present(), ack.conflict()};
  }
  FPO_RETURN_IF_ERROR(FromGrpcStatus(stream->Finish()));
  if (durable == seq) return stored;
  return absl::UnavailableError(absl::StrCat("fpo-cache acknowledged ", durable, " of ", seq,
                                             " frames and closed the stream"));
}

absl::Status GrpcCacheLink::WaitManifest(
    const Digest& manifest, absl::Duration timeout,
    const std::function<bool(const ManifestProgress&)>& on_change, std::stop_token stop) {
  grpc::ClientContext context;
  SetDeadline(&context, timeout);
  const CancelOnStop cancel(std::move(stop), &context);
  pb::WaitManifestRequest request;
  request.set_manifest_id(ToBytes(manifest));
  const auto stream = state_->control->WaitManifest(&context, request);
  bool ended_by_us = false;
  for (pb::WaitManifestResponse response; !ended_by_us && stream->Read(&response);) {
    ended_by_us = !on_change(FromProto(response));
  }
  if (ended_by_us) context.TryCancel();
  const absl::Status status = FromGrpcStatus(stream->Finish());
  if (ended_by_us || absl::IsDeadlineExceeded(status)) return absl::OkStatus();
  return status;
}

absl::Status GrpcCacheLink::PullManifest(
    const PullRequest& pull, const std::function<absl::Status(const RecordFrame&)>& on_frame,
    std::stop_token stop) {
  grpc::ClientContext context;
  SetDeadline(&context, kPullTime);
  const CancelOnStop cancel(std::move(stop), &context);
  pb::PullManifestRequest request;
  request.set_manifest_id(ToBytes(pull.manifest));
  request.set_from_ordinal(pull.from_ordinal);
  request.mutable_ordinals()->Add(pull.ordinals.begin(), pull.ordinals.end());
  const auto stream = state_->bulk->PullManifest(&context, request);
  absl::Status refused;
  for (pb::PullManifestResponse response; refused.ok() && stream->Read(&response);) {
    const absl::StatusOr<RecordFrame> frame = FromProto(response);
    refused = frame.ok() ? on_frame(*frame) : frame.status();
  }
  if (!refused.ok()) context.TryCancel();
  const absl::Status status = FromGrpcStatus(stream->Finish());
  return refused.ok() ? status : refused;
}

}  // namespace fpo::worker
