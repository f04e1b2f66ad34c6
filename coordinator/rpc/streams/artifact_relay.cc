#include "coordinator/rpc/streams/artifact_relay.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/hash.h"

namespace fpo::coordinator {
namespace {

constexpr size_t kTransfersMax = 256;

absl::Status HolderGone(const std::string& worker) {
  return WithErrorInfo(
      absl::UnavailableError(
          absl::StrCat("worker ", worker, ", which holds the files, lost its connection")),
      {.reason = ErrorReason::kHolderGone, .hint = "fpoctl workers list; then run it again"});
}

}  // namespace

void ArtifactTransfer::SetReader(Wake wake) {
  absl::MutexLock lock(&mu_);
  reader_ = std::move(wake);
  if (pusher_) pusher_();
}

std::optional<fpo::v1::ReadArtifactResponse> ArtifactTransfer::Take() {
  absl::MutexLock lock(&mu_);
  std::optional<fpo::v1::ReadArtifactResponse> frame = std::move(frame_);
  frame_.reset();
  if (frame && pusher_) pusher_();
  return frame;
}

std::optional<absl::Status> ArtifactTransfer::End() const {
  absl::MutexLock lock(&mu_);
  return frame_ ? std::nullopt : end_;
}

void ArtifactTransfer::WakeReader() {
  absl::MutexLock lock(&mu_);
  if (reader_) reader_();
}

bool ArtifactTransfer::SetPusher(Wake wake) {
  absl::MutexLock lock(&mu_);
  if (std::exchange(pushed_, true)) return false;
  pusher_ = std::move(wake);
  return true;
}

void ArtifactTransfer::RemovePusher() {
  absl::MutexLock lock(&mu_);
  pusher_ = nullptr;
}

bool ArtifactTransfer::TryPut(fpo::v1::ReadArtifactResponse* frame) {
  absl::MutexLock lock(&mu_);
  if (frame_) return false;
  frame_ = std::move(*frame);
  if (reader_) reader_();
  return true;
}

void ArtifactTransfer::EndPush(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  if (!end_) end_ = status;
  if (reader_) reader_();
}

void ArtifactTransfer::EndUnlessPushed(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  if (pushed_ || end_) return;
  end_ = status;
  if (reader_) reader_();
}

bool ArtifactTransfer::HasReader() const {
  absl::MutexLock lock(&mu_);
  return reader_ != nullptr;
}

absl::StatusOr<std::pair<std::string, ArtifactRelay::Transfer>> ArtifactRelay::Begin() {
  absl::MutexLock lock(&mu_);
  if (transfers_.size() >= kTransfersMax) {
    return WithErrorInfo(absl::ResourceExhaustedError(absl::StrCat(
                             transfers_.size(), " downloads are running, which is the limit")),
                         {.reason = ErrorReason::kBusy, .hint = "try again in a minute"});
  }
  const std::string id = RandomId(16);
  const auto transfer = std::make_shared<ArtifactTransfer>();
  transfers_[id] = {transfer, "", departures_};
  return std::make_pair(id, transfer);
}

ArtifactRelay::Transfer ArtifactRelay::Find(const std::string& id) const {
  absl::MutexLock lock(&mu_);
  const auto found = transfers_.find(id);
  return found == transfers_.end() ? nullptr : found->second.transfer;
}

void ArtifactRelay::SetHolder(const std::string& id, const std::string& worker) {
  absl::MutexLock lock(&mu_);
  const auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  found->second.holder = worker;
  const auto departure = last_departure_.find(worker);
  if (departure != last_departure_.end() && departure->second > found->second.begun) {
    found->second.transfer->EndUnlessPushed(HolderGone(worker));
  }
}

void ArtifactRelay::HolderLeft(const std::string& worker) {
  const absl::Status left = HolderGone(worker);
  absl::MutexLock lock(&mu_);
  if (transfers_.empty()) return;
  last_departure_[worker] = ++departures_;
  for (const auto& [id, entry] : transfers_) {
    if (entry.holder == worker) entry.transfer->EndUnlessPushed(left);
  }
}

void ArtifactRelay::Forget(const std::string& id) {
  absl::MutexLock lock(&mu_);
  transfers_.erase(id);
  if (transfers_.empty()) last_departure_.clear();
}

}  // namespace fpo::coordinator
