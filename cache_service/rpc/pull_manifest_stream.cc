#include "cache_service/rpc/pull_manifest_stream.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache_service/rpc/convert.h"
#include "cache_service/store/cache_errors.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

constexpr int64_t kWindowRecords = 256;
constexpr size_t kFrameBytes = 1 << 20;
constexpr size_t kPackedOverhead = 68;  // key, digest, length

}  // namespace

PullManifestStream::PullManifestStream(const StreamContext& context,
                                       grpc::CallbackServerContext* call,
                                       const fpo::v1::PullManifestRequest* request)
    : context_(context), request_(*request), idle_(call, context.idle_max) {
  const auto begin = [this] {
    const absl::Status status = Begin();
    if (!status.ok()) return Finish(ToGrpcStatus(status));
    Send();
  };
  if (!context_.streams->Add(this) || !context_.pool->TryRun(begin)) {
    Finish(ToGrpcStatus(TooManyCalls()));
  }
}

absl::Status PullManifestStream::Begin() {
  FPO_ASSIGN_OR_RETURN(const Digest id, ReadDigest(request_.manifest_id(), "manifest_id"));
  FPO_ASSIGN_OR_RETURN(manifest_, context_.cache->BeginPull(id));
  next_ordinal_ = request_.from_ordinal();
  if (next_ordinal_ < 0 || next_ordinal_ > manifest_.total) {
    return BadRequest("from_ordinal", absl::StrCat(next_ordinal_, "; 0 to ", manifest_.total));
  }
  return absl::OkStatus();
}

absl::Status PullManifestStream::FillFrame() {
  frame_.Clear();
  frame_.set_first_ordinal(next_ordinal_);
  std::string* packed = frame_.mutable_packed();
  while (next_ordinal_ < manifest_.total) {
    if (window_.empty()) {
      FPO_ASSIGN_OR_RETURN(std::vector<PackedRecord> read,
                           context_.cache->ReadRange(manifest_, next_ordinal_, kWindowRecords));
      if (read.empty()) return NoManifest(manifest_.id);
      window_.assign(std::make_move_iterator(read.begin()), std::make_move_iterator(read.end()));
    }
    const size_t size = window_.front().bytes.size() + kPackedOverhead;
    if (!packed->empty() && packed->size() + size > kFrameBytes) break;
    AppendPacked(window_.front(), packed);
    window_.pop_front();
    ++next_ordinal_;
    frame_.set_count(frame_.count() + 1);
  }
  digest_.Update(*packed);
  context_.bytes_out.Add(static_cast<double>(packed->size()));
  return absl::OkStatus();
}

void PullManifestStream::Send() {
  const absl::Status filled = FillFrame();
  if (!filled.ok()) return Finish(ToGrpcStatus(filled));
  idle_.WaitsForPeer();
  if (next_ordinal_ < manifest_.total) return StartWrite(&frame_);
  frame_.set_sha256_of_stream(ToBytes(digest_.Finish()));
  StartWriteAndFinish(&frame_, grpc::WriteOptions(), grpc::Status::OK);
}

void PullManifestStream::OnWriteDone(bool ok) {
  idle_.PeerActed();
  if (next_ordinal_ == manifest_.total) return;  // that was StartWriteAndFinish
  if (!ok) return Finish(grpc::Status::CANCELLED);
  context_.pool->Run([this] { Send(); });
}

void PullManifestStream::OnDone() {
  context_.streams->Remove(this);
  delete this;
}

}  // namespace fpo::cache
