#include "worker/core/reference/download.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/backoff.h"
#include "common/status_macros.h"

namespace fpo::worker {
namespace {

// A full local disk is not a busy server: asking the cache again would not help.
absl::Status OfThisDisk(const absl::Status& written) {
  return IsRetryable(written) ? absl::FailedPreconditionError(written.message()) : written;
}

}  // namespace

Download::Download(const RecordList& list, std::vector<std::unique_ptr<RecordFile>> local,
                   std::unique_ptr<RecordFileWriter> writer)
    : list_(list), local_(std::move(local)), writer_(std::move(writer)) {
  for (size_t i = 0; i < list_.keys.size(); ++i) {
    const bool here = std::any_of(local_.begin(), local_.end(),
                                  [&](const auto& file) { return file->Contains(list_.keys[i]); });
    if (!here) remote_.push_back(static_cast<int64_t>(i));
  }
}

absl::Status Download::TakeLocal() {
  const auto end = static_cast<int64_t>(list_.keys.size());
  while (cursor_ < end && (next_remote_ == remote_.size() || cursor_ < remote_[next_remote_])) {
    const Digest& key = list_.keys[static_cast<size_t>(cursor_)];
    const auto file = std::find_if(local_.begin(), local_.end(),
                                   [&](const auto& each) { return each->Contains(key); });
    FPO_ASSIGN_OR_RETURN(const PackedRecord record, (*file)->FindPacked(key));
    FPO_RETURN_IF_ERROR(OfThisDisk(writer_->Add(record)));
    ++cursor_;
  }
  return absl::OkStatus();
}

PullRequest Download::StartStream() {
  stream_digest_ = SequenceDigest();
  PullRequest request{.manifest_id = list_.manifest, .from_ordinal = cursor_};
  if (!local_.empty()) {
    request.ordinals.assign(remote_.begin() + static_cast<std::ptrdiff_t>(next_remote_),
                            remote_.end());
  }
  return request;
}

absl::Status Download::Take(const RecordFrame& frame) {
  const bool due = complete() ? frame.count == 0 : frame.first_ordinal == cursor_;
  if (!due) {
    return absl::DataLossError(absl::StrCat("the cache sent ordinal ", frame.first_ordinal,
                                            " of manifest ", ToHex(list_.manifest), " where ",
                                            cursor_, " was expected"));
  }
  FPO_ASSIGN_OR_RETURN(const std::vector<PackedRecord> records, Unpack(frame.packed));
  for (const PackedRecord& record : records) {
    if (complete() || record.key != list_.keys[static_cast<size_t>(cursor_)]) {
      return absl::DataLossError(absl::StrCat("record ", cursor_, " of manifest ",
                                              ToHex(list_.manifest), " has the wrong key ",
                                              ToHex(record.key)));
    }
    stream_digest_.Add(record.key, record.sha256);
    FPO_RETURN_IF_ERROR(OfThisDisk(writer_->Add(record)));
    ++cursor_;
    ++next_remote_;
    FPO_RETURN_IF_ERROR(TakeLocal());
  }
  if (frame.sha256_of_digests && stream_digest_.Finish() != *frame.sha256_of_digests) {
    return absl::DataLossError(absl::StrCat("the download of manifest ", ToHex(list_.manifest),
                                            " does not match the cache's digest over it"));
  }
  return absl::OkStatus();
}

absl::Status Download::CheckEnd() const {
  if (complete()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("the cache ended manifest ", ToHex(list_.manifest),
                                             " after ", cursor_, " of ", list_.keys.size(),
                                             " records"));
}

absl::Status Download::Write() { return OfThisDisk(writer_->Finish()); }

}  // namespace fpo::worker
