#include "cache/rpc/put_manifest_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/core/records/cache_errors.h"
#include "cache/rpc/convert.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

namespace pb = fpo::v1;

constexpr int64_t kReserveMax = 1 << 16;  // more is not preallocated on a promise

}  // namespace

PutManifestStream::PutManifestStream(const StreamContext& context,
                                     grpc::CallbackServerContext* call,
                                     pb::PutManifestResponse* response, Principal caller)
    : context_(context),
      call_(call),
      response_(response),
      caller_(std::move(caller)),
      idle_(call, context.idle_max) {
  if (const absl::Status full = context_.streams->Add(this); !full.ok()) {
    Finish(ToGrpcStatus(full));
    return;
  }
  ReadNext();
}

void PutManifestStream::ReadNext() {
  idle_.WaitsForPeer();
  StartRead(&request_);
}

void PutManifestStream::OnReadDone(bool ok) {
  idle_.PeerActed();
  if (ok) {
    const absl::Status accepted = Accept(request_);
    if (accepted.ok()) return ReadNext();
    return Finish(ToGrpcStatus(accepted));
  }
  if (call_->IsCancelled()) return Finish(grpc::Status::CANCELLED);
  context_.pool->Run([this] {
    if (context_.bucket) return StoreAndFill();
    Finish(ToGrpcStatus(Store()));
  });
}

absl::Status PutManifestStream::Accept(const pb::PutManifestRequest& request) {
  if (request.has_header()) {
    if (has_header_) return BadRequest("header", "sent twice");
    const pb::ManifestHeader& header = request.header();
    if (static_cast<int64_t>(header.recipe().size()) > kRecipeBytesMax) {
      return BadRequest("recipe",
                        absl::StrCat(header.recipe().size(), " bytes; at most ", kRecipeBytesMax));
    }
    if (header.keys() < 1 || header.keys() > kManifestKeysMax) {
      return BadRequest("header.keys", absl::StrCat(header.keys(), "; 1 to ", kManifestKeysMax));
    }
    has_header_ = true;
    keys_promised_ = header.keys();
    manifest_ = FromProto(header);
    // Agents register for the owners of their jobs, others for themselves.
    const bool for_others = caller_.name.empty() || caller_.role == Role::kWorker;
    if (!for_others) manifest_.owner = caller_.name;
    manifest_.keys.reserve(std::min(keys_promised_, kReserveMax));
    return absl::OkStatus();
  }
  if (!has_header_) return BadRequest("header", "the first message must be the header");
  FPO_ASSIGN_OR_RETURN(const std::vector<Digest> keys, ReadKeys(request.keys()));
  const auto total = static_cast<int64_t>(manifest_.keys.size() + keys.size());
  if (static_cast<int64_t>(keys.size()) > kKeysPerCallMax || total > keys_promised_) {
    return BadRequest(
        "keys", absl::StrCat(keys.size(), " keys in one message, ", total, " in all; at most ",
                             kKeysPerCallMax, " and the ", keys_promised_, " of the header"));
  }
  manifest_.keys.insert(manifest_.keys.end(), keys.begin(), keys.end());
  return absl::OkStatus();
}

absl::Status PutManifestStream::CheckWhole() const {
  if (!has_header_) return BadRequest("header", "missing");
  if (static_cast<int64_t>(manifest_.keys.size()) == keys_promised_) return absl::OkStatus();
  return BadRequest("keys", absl::StrCat(manifest_.keys.size(),
                                         " keys arrived, but the header says ", keys_promised_));
}

absl::Status PutManifestStream::Store() {
  FPO_RETURN_IF_ERROR(CheckWhole());
  // The upstream says what is missing. One that is away matters only when something is.
  absl::StatusOr<ManifestCount> above = absl::UnavailableError("no upstream");
  if (context_.upstream) above = context_.upstream->calls().PutManifest(manifest_);
  FPO_ASSIGN_OR_RETURN(const ManifestCount count,
                       context_.cache->PutManifest(std::move(manifest_)));
  if (context_.upstream && !above.ok() && count.missing > 0) return above.status();
  *response_ = ToProto(above.ok() ? *above : count);
  return absl::OkStatus();
}

// What the bucket has counts as present. Only who lacks something waits for it, and not on the pool
// that everybody else needs.
void PutManifestStream::StoreAndFill() {
  const auto store = [this]() -> absl::StatusOr<ManifestHeader> {
    FPO_RETURN_IF_ERROR(CheckWhole());
    return context_.cache->Register(std::move(manifest_));
  };
  const absl::StatusOr<ManifestHeader> header = store();
  if (!header.ok()) return Finish(ToGrpcStatus(header.status()));
  const auto answer = [this, header = *header] {
    const absl::StatusOr<ManifestCount> count = context_.cache->CountPresent(header);
    if (count.ok()) *response_ = ToProto(*count);
    Finish(ToGrpcStatus(count.status()));
  };
  const absl::StatusOr<std::vector<int64_t>> missing = context_.cache->MissingOrdinals(header->id);
  if (!missing.ok() || missing->empty()) return answer();
  context_.bucket->Fill(header->id, answer);
}

void PutManifestStream::OnDone() {
  context_.streams->Remove(this);
  delete this;
}

}  // namespace fpo::cache
