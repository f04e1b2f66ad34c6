#include "cache/rpc/verify_stream.h"

#include <limits>
#include <utility>

#include "cache/core/store/key_layout.h"
#include "cache/rpc/convert.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

constexpr int64_t kPortionRecords = 256;
constexpr int kPortionsPerReport = 16;

}  // namespace

VerifyStream::VerifyStream(const StreamContext& context, grpc::CallbackServerContext* call,
                           const fpo::v1::VerifyRequest* request, Principal caller)
    : AnswerStream(context.pool, context.streams, call, context.idle_max),
      context_(context),
      request_(*request),
      caller_(std::move(caller)) {
  Begin();
}

absl::Status VerifyStream::Open() {
  if (request_.manifest_id().empty()) {
    const absl::Status files = context_.verify_files ? context_.verify_files() : absl::OkStatus();
    if (!files.ok() && !absl::IsDataLoss(files)) return files;
    report_.set_damaged_files(std::string(files.message()));
    return absl::OkStatus();
  }
  FPO_ASSIGN_OR_RETURN(manifest_, ReadDigest(request_.manifest_id(), "manifest_id"));
  FPO_RETURN_IF_ERROR(context_.cache->CheckMayRead(*manifest_, caller_));
  FPO_ASSIGN_OR_RETURN(const ManifestStatus status, context_.cache->GetManifest(*manifest_));
  total_ = status.header.total;
  return absl::OkStatus();
}

absl::StatusOr<CheckReport> VerifyStream::CheckNext() {
  if (manifest_) {
    const int64_t from = std::exchange(next_ordinal_, next_ordinal_ + kPortionRecords);
    return context_.cache->CheckManifest(*manifest_, from, kPortionRecords);
  }
  absl::StatusOr<CheckReport> report =
      context_.cache->CheckRecords(*position_, std::numeric_limits<int64_t>::max());
  if (absl::IsDataLoss(report.status())) {  // of the index: what it names here is absent
    position_ = SkipAhead(*position_);
    report_.set_damaged_files(std::string(report.status().message()));
    return CheckReport();
  }
  FPO_RETURN_IF_ERROR(report.status());
  position_ = report->next;
  return report;
}

absl::Status VerifyStream::CheckPortion() {
  report_.clear_damaged_keys();
  const auto done = [this] { return manifest_ ? next_ordinal_ >= total_ : !position_; };
  for (int i = 0; i < kPortionsPerReport && !done(); ++i) {
    FPO_ASSIGN_OR_RETURN(const CheckReport portion, CheckNext());
    report_.set_records(report_.records() + portion.records);
    report_.set_bytes(report_.bytes() + portion.bytes);
    report_.set_damaged(report_.damaged() + static_cast<int64_t>(portion.damaged.size()));
    for (const RecordPosition& bad : portion.damaged) {
      report_.mutable_damaged_keys()->append(ToBytes(bad.key));
    }
  }
  report_.set_done(done());
  return absl::OkStatus();
}

void VerifyStream::Next() {
  if (report_.done()) return FinishOnce(absl::OkStatus());
  const absl::Status checked = CheckPortion();
  if (!checked.ok()) return FinishOnce(checked);
  Write(report_);
}

}  // namespace fpo::cache
