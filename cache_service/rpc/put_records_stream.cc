#include "cache_service/rpc/put_records_stream.h"

#include "absl/strings/str_cat.h"
#include "cache_service/rpc/convert.h"
#include "cache_service/store/cache_errors.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"

namespace fpo::cache {

PutRecordsStream::PutRecordsStream(const StreamContext& context, grpc::CallbackServerContext* call)
    : context_(context), call_(call), idle_(call, context.idle_max) {
  if (!context_.streams->Add(this)) {
    Finish(ToGrpcStatus(TooManyCalls()));
    return;
  }
  ReadNext();
}

void PutRecordsStream::ReadNext() {
  idle_.WaitsForPeer();
  StartRead(&batch_);
}

void PutRecordsStream::OnReadDone(bool ok) {
  idle_.PeerActed();
  if (!ok) {
    return Finish(call_->IsCancelled() ? grpc::Status::CANCELLED : grpc::Status::OK);
  }
  context_.pool->Run([this] {
    const absl::Status stored = StoreBatch();
    if (!stored.ok()) return Finish(ToGrpcStatus(stored));
    idle_.WaitsForPeer();
    StartWrite(&totals_);
  });
}

absl::Status PutRecordsStream::StoreBatch() {
  if (batch_.seq() <= totals_.last_seq()) {
    return BadRequest(
        "seq", absl::StrCat(batch_.seq(), " after ", totals_.last_seq(), "; it must grow from 1"));
  }
  FPO_ASSIGN_OR_RETURN(const Digest manifest, ReadDigest(batch_.manifest_id(), "manifest_id"));
  PutCounts counts;
  if (context_.upstream) {
    fpo::v1::PutRecordsResponse ack;
    FPO_RETURN_IF_ERROR(context_.upstream->PutRecords(batch_, &ack));
    counts = {.stored = ack.stored(), .present = ack.present(), .conflict = ack.conflict()};
  } else {
    FPO_ASSIGN_OR_RETURN(
        counts, context_.cache->PutRecords(manifest, batch_.claim_id(), batch_.packed(),
                                           {.seconds = batch_.seconds(), .flops = batch_.flops()}));
  }
  context_.bytes_in.Add(static_cast<double>(batch_.packed().size()));
  totals_.set_last_seq(batch_.seq());
  totals_.set_stored(totals_.stored() + counts.stored);
  totals_.set_present(totals_.present() + counts.present);
  totals_.set_conflict(totals_.conflict() + counts.conflict);
  return absl::OkStatus();
}

void PutRecordsStream::OnWriteDone(bool ok) {
  idle_.PeerActed();
  if (!ok) return Finish(grpc::Status::CANCELLED);
  ReadNext();
}

void PutRecordsStream::OnDone() {
  context_.streams->Remove(this);
  delete this;
}

}  // namespace fpo::cache
