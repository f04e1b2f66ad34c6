#include "cache/rpc/pull_manifest_stream.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/core/records/cache_errors.h"
#include "cache/rpc/convert.h"
#include "common/clock.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

constexpr int64_t kWindowRecordsMax = 256;
constexpr size_t kWindowBytes = 1 << 20;  // a reader that stops costs three and two frames
constexpr size_t kWindowsAhead = 2;       // a reader alone keeps two cores and a disk busy
constexpr size_t kFrameBytes = 1 << 20;
constexpr size_t kPackedOverhead = 68;  // key, digest, length

}  // namespace

PullManifestStream::PullManifestStream(const StreamContext& context,
                                       grpc::CallbackServerContext* call,
                                       const fpo::v1::PullManifestRequest* request,
                                       Principal caller)
    : context_(context),
      request_(*request),
      caller_(std::move(caller)),
      idle_(call, context.idle_max),
      start_(BootNow()) {
  const auto begin = [this] {
    // Waiting for another cache must not keep readers of what is here waiting.
    if (!MustFetch()) return Start();
    if (!context_.transfers->TryRun([this] { Start(); })) Finish(ToGrpcStatus(CacheIsBusy()));
  };
  absl::Status admitted = context_.streams->Add(this);
  if (admitted.ok() && !context_.pool->TryRun(begin)) admitted = CacheIsBusy();
  if (!admitted.ok()) Finish(ToGrpcStatus(admitted));
}

bool PullManifestStream::MustFetch() const {
  if (context_.upstream == nullptr) return false;
  const absl::StatusOr<PullRequest> asked = FromProto(request_);
  return asked.ok() && context_.upstream->MustFetch(asked->manifest_id);
}

void PullManifestStream::Start() {
  const absl::Status status = Begin();
  if (!status.ok()) return Finish(ToGrpcStatus(status));
  MakeFrame();
}

absl::Status PullManifestStream::Begin() {
  FPO_ASSIGN_OR_RETURN(asked_, FromProto(request_));
  const Digest& id = asked_.manifest_id;
  FPO_RETURN_IF_ERROR(context_.cache->CheckMayRead(id, caller_));
  if (context_.upstream) FPO_RETURN_IF_ERROR(context_.upstream->Fetch(id));
  FPO_ASSIGN_OR_RETURN(ManifestHeader manifest, context_.cache->BeginPull(id));
  manifest_ = std::make_shared<const ManifestHeader>(std::move(manifest));
  const int64_t from = asked_.from_ordinal;
  if (from < 0 || from > manifest_->total) {
    return BadRequest("from_ordinal", absl::StrCat(from, "; 0 to ", manifest_->total));
  }
  if (asked_.ordinals.empty()) {
    read_ = next_ = from;
    end_ = manifest_->total;
    return absl::OkStatus();
  }
  FPO_RETURN_IF_ERROR(CheckOrdinals());
  end_ = static_cast<int64_t>(asked_.ordinals.size());
  while (next_ < end_ && OrdinalAt(next_) < from) ++next_;
  read_ = next_;
  return absl::OkStatus();
}

absl::Status PullManifestStream::CheckOrdinals() const {
  int64_t last = -1;
  for (const int64_t ordinal : asked_.ordinals) {
    if (ordinal <= last || ordinal >= manifest_->total) {
      return BadRequest("ordinals", absl::StrCat(ordinal, " after ", last, "; ascending, below ",
                                                 manifest_->total));
    }
    last = ordinal;
  }
  return absl::OkStatus();
}

int64_t PullManifestStream::OrdinalAt(int64_t position) const {
  return asked_.ordinals.empty() ? position : asked_.ordinals[static_cast<size_t>(position)];
}

void PullManifestStream::ReadOn() {
  while (ahead_.size() < kWindowsAhead && read_ < end_) {
    const int64_t count = std::min(window_records_, end_ - read_);
    std::vector<int64_t> ordinals;
    for (int64_t i = 0; i < count; ++i) ordinals.push_back(OrdinalAt(read_ + i));
    read_ += count;
    // It may outlive the call, so it uses nothing of the stream.
    ahead_.emplace_back(
        context_.pool,
        [cache = context_.cache, manifest = manifest_, is_range = asked_.ordinals.empty(),
         ordinals = std::move(ordinals)]() -> Window {
          if (!is_range) return cache->ReadOrdinals(*manifest, ordinals);
          return cache->ReadRange(*manifest, ordinals[0], static_cast<int64_t>(ordinals.size()));
        });
  }
}

absl::Status PullManifestStream::FillWindow() {
  ReadOn();
  Window read = ahead_.front().Take();
  ahead_.pop_front();
  FPO_RETURN_IF_ERROR(read.status());
  if (read->empty()) return NoManifest(manifest_->id);
  size_t bytes = 1;
  for (const PackedRecord& record : *read) bytes += record.bytes.size();
  window_records_ = std::clamp(static_cast<int64_t>(kWindowBytes * read->size() / bytes),
                               int64_t{1}, kWindowRecordsMax);
  window_.assign(std::make_move_iterator(read->begin()), std::make_move_iterator(read->end()));
  ReadOn();
  return absl::OkStatus();
}

absl::Status PullManifestStream::FillFrame(fpo::v1::PullManifestResponse* frame) {
  frame->Clear();
  frame->set_first_ordinal(AtEnd() ? manifest_->total : OrdinalAt(next_));
  std::string* packed = frame->mutable_packed();
  while (!AtEnd()) {
    if (window_.empty()) FPO_RETURN_IF_ERROR(FillWindow());
    const size_t size = window_.front().bytes.size() + kPackedOverhead;
    if (!packed->empty() && packed->size() + size > kFrameBytes) break;
    AppendPacked(window_.front(), packed);
    digest_.Add(window_.front().key, window_.front().sha256);
    window_.pop_front();
    ++next_;
    frame->set_count(frame->count() + 1);
  }
  if (AtEnd()) frame->set_sha256_of_digests(ToBytes(digest_.Finish()));
  return absl::OkStatus();
}

void PullManifestStream::MakeFrame() {
  making_ = FillFrame(&made_);
  {
    absl::MutexLock lock(&mutex_);
    frame_made_ = true;
    if (in_flight_) return;  // OnWriteDone sends it
  }
  SendFrame();
}

void PullManifestStream::SendFrame() {
  bool peer_gone = false;
  {
    absl::MutexLock lock(&mutex_);
    peer_gone = peer_gone_;
    frame_made_ = false;
    in_flight_ = true;
  }
  if (peer_gone) return Finish(grpc::Status::CANCELLED);
  if (!making_.ok()) return Finish(ToGrpcStatus(making_));
  sent_.Swap(&made_);
  finishing_ = AtEnd();
  context_.bytes_out.Add(static_cast<double>(sent_.packed().size()));
  if (!std::exchange(sent_any_, true)) {
    context_.first_byte_seconds.Observe(absl::ToDoubleSeconds(BootNow() - start_));
  }
  idle_.WaitsForPeer();
  if (finishing_) return StartWriteAndFinish(&sent_, grpc::WriteOptions(), grpc::Status::OK);
  StartWrite(&sent_);
  context_.pool->Run([this] { MakeFrame(); });
}

void PullManifestStream::OnWriteDone(bool ok) {
  idle_.PeerActed();
  if (finishing_) return;  // that was StartWriteAndFinish
  {
    absl::MutexLock lock(&mutex_);
    in_flight_ = false;
    peer_gone_ = !ok;
    if (!frame_made_) return;  // MakeFrame sends it
  }
  SendFrame();
}

void PullManifestStream::OnDone() {
  context_.streams->Remove(this);
  delete this;
}

}  // namespace fpo::cache
