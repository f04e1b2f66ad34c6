#include "cache/rpc/put_records_stream.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/core/records/cache_errors.h"
#include "cache/rpc/convert.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

namespace pb = fpo::v1;

// Limit on reading ahead: the memory of one stream, and what one fsync makes durable.
constexpr size_t kWaitingBytesMax = size_t{24} << 20;

}  // namespace

PutRecordsStream::PutRecordsStream(const StreamContext& context, grpc::CallbackServerContext* call)
    : context_(context), call_(call), idle_(call, context.idle_max) {
  if (const absl::Status full = context_.streams->Add(this); !full.ok()) {
    Finish(ToGrpcStatus(full));
    return;
  }
  absl::MutexLock lock(&mutex_);
  Read();
}

void PutRecordsStream::Read() {
  is_reading_ = true;
  if (!is_storing_) idle_.WaitsForPeer();
  StartRead(&reading_);
}

std::optional<grpc::Status> PutRecordsStream::GoOn() {
  if (is_over_) return std::nullopt;
  if (call_->IsCancelled()) refused_.Update(absl::CancelledError("the sender went away"));
  if (refused_.ok() && !waiting_.empty() && !is_storing_) {
    is_storing_ = true;
    idle_.PeerActed();
    context_.pool->Run([this] { StoreOnPool(); });
  }
  if (!is_reading_ && !sender_is_done_ && refused_.ok() && waiting_bytes_ < kWaitingBytesMax)
    Read();
  if (owes_ack_ && !is_writing_) {
    owes_ack_ = false;
    is_writing_ = true;
    sending_ = ToProto(counts_);
    sending_.set_last_seq(last_stored_seq_);
    StartWrite(&sending_);
  }
  if (is_storing_ || is_writing_) return std::nullopt;
  if (refused_.ok() && !(sender_is_done_ && waiting_.empty())) return std::nullopt;
  is_over_ = true;
  return refused_.ok() ? grpc::Status::OK : ToGrpcStatus(refused_);
}

void PutRecordsStream::OnReadDone(bool ok) {
  std::optional<grpc::Status> end;
  {
    absl::MutexLock lock(&mutex_);
    is_reading_ = false;
    idle_.PeerActed();
    if (!ok) {
      sender_is_done_ = true;
    } else if (reading_.seq() <= last_read_seq_) {
      refused_.Update(BadRequest(
          "seq", absl::StrCat(reading_.seq(), " after ", last_read_seq_, "; it must grow from 1")));
    } else {
      last_read_seq_ = reading_.seq();
      waiting_bytes_ += reading_.packed().size();
      waiting_.push_back(std::move(reading_));
    }
    end = GoOn();
  }
  if (end) Finish(*end);
}

void PutRecordsStream::StoreOnPool() {
  Frames frames;
  {
    absl::MutexLock lock(&mutex_);
    frames.swap(waiting_);
    waiting_bytes_ = 0;
    if (!is_reading_ && !sender_is_done_) Read();  // it had stopped at the limit
  }
  const absl::Status stored = Store(frames);
  frames = Frames();
  std::optional<grpc::Status> end;
  {
    absl::MutexLock lock(&mutex_);
    is_storing_ = false;
    refused_.Update(stored);
    end = GoOn();
    if (is_reading_ && !is_storing_) idle_.WaitsForPeer();
  }
  if (end) Finish(*end);
}

absl::Status PutRecordsStream::Store(const Frames& frames) {
  // A frame of another manifest begins a new group.
  size_t first = 0;
  for (size_t i = 1; i <= frames.size(); ++i) {
    if (i < frames.size() && frames[i].manifest_id() == frames[first].manifest_id()) continue;
    const auto group = absl::MakeConstSpan(frames).subspan(first, i - first);
    const absl::Status together = StoreTogether(group);
    if (!together.ok() && group.size() == 1) return together;
    if (!together.ok()) {
      for (const pb::PutRecordsRequest& frame : group) {
        FPO_RETURN_IF_ERROR(StoreTogether(absl::MakeConstSpan(&frame, 1)));
      }
    }
    first = i;
  }
  return absl::OkStatus();
}

absl::Status PutRecordsStream::StoreTogether(absl::Span<const pb::PutRecordsRequest> frames) {
  FPO_ASSIGN_OR_RETURN(const Digest manifest, ReadDigest(frames[0].manifest_id(), "manifest_id"));
  std::vector<PutBatch> batches;
  for (const pb::PutRecordsRequest& frame : frames) batches.push_back(FromProto(frame));
  PutCounts counts;
  size_t bytes = 0;
  if (context_.upstream) {
    for (const PutBatch& batch : batches) {
      FPO_ASSIGN_OR_RETURN(const PutCounts stored, context_.upstream->calls().PutRecords(
                                                       manifest, absl::MakeConstSpan(&batch, 1)));
      counts += stored;
    }
  } else {
    for (const PutBatch& batch : batches) bytes += batch.packed.size();
    FPO_ASSIGN_OR_RETURN(counts, context_.cache->PutBatches(manifest, batches));
  }
  context_.bytes_in.Add(static_cast<double>(bytes));
  if (context_.freed_bytes) *context_.freed_bytes += static_cast<int64_t>(bytes);
  absl::MutexLock lock(&mutex_);
  last_stored_seq_ = frames.back().seq();
  counts_ += counts;
  owes_ack_ = true;
  return absl::OkStatus();
}

void PutRecordsStream::OnWriteDone(bool ok) {
  std::optional<grpc::Status> end;
  {
    absl::MutexLock lock(&mutex_);
    is_writing_ = false;
    if (!ok) refused_.Update(absl::CancelledError("the sender went away"));
    end = GoOn();
  }
  if (end) Finish(*end);
}

void PutRecordsStream::OnDone() {
  context_.streams->Remove(this);
  delete this;
}

}  // namespace fpo::cache
