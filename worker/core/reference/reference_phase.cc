#include "worker/core/reference/reference_phase.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/error_info.h"
#include "common/files/posix_status.h"
#include "common/reference/record_key.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "common/waits/stop_wait.h"
#include "nlohmann/json.hpp"

namespace fpo::worker {
namespace {

constexpr int64_t kPlanBytesMax = 1 << 20;
constexpr int kLostClaimsMax = 10;
constexpr int kRoundsMax = 5;  // of "compute, pull" before records that vanish are given up on

absl::Status Stopped() { return absl::CancelledError("stopped on request"); }

bool IsLostClaim(const absl::Status& status) {
  const ErrorReason reason = ReasonOf(status);
  return reason == ErrorReason::kUnknownClaim || reason == ErrorReason::kStaleClaim;
}

// The cache lost a manifest (a new data folder) or a record of it (found damaged).
bool IsLostData(const absl::Status& status) {
  const ErrorReason reason = ReasonOf(status);
  return reason == ErrorReason::kManifestNotFound || reason == ErrorReason::kManifestIncomplete;
}

absl::StatusOr<std::vector<PackedRecord>> ReadSegment(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<RecordFile> file, RecordFile::Open(path));
  std::vector<PackedRecord> records;
  for (int64_t i = 0; i < file->size(); ++i) {
    FPO_ASSIGN_OR_RETURN(PackedRecord record, file->At(i));
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace

// A claim that is being worked on.
struct ReferencePhase::HeldClaim {
  RecordClaim claim;
  size_t next = 0;     // position in claim.ordinals
  int64_t stored = 0;  // under this claim
  absl::Time renew_at;
  bool lost = false;
};

ReferencePhase::ReferencePhase(Options options, CacheLink* cache, RecordStore* store,
                               ResponseScorer* scorer, ReferenceObserver* observer)
    : options_(std::move(options)),
      cache_(cache),
      store_(store),
      scorer_(scorer),
      observer_(observer),
      segment_records_(static_cast<size_t>(options_.first_segment_records)) {}

absl::Status ReferencePhase::Persist(const char* what, const std::function<absl::Status()>& call) {
  Backoff backoff(options_.backoff);
  const absl::Time give_up = BootNow() + options_.patience;
  std::optional<absl::Time> silent_since;
  for (;;) {
    const absl::Status status = call();
    if (stop_.stop_requested()) return Stopped();
    if (!IsRetryable(status) || IsLostClaim(status) || IsLostData(status)) {
      if (silent_since) {
        waited_ += BootNow() - *silent_since;
        observer_->OnWaiting("");
      }
      return status;
    }
    if (BootNow() >= give_up) {
      return absl::UnavailableError(
          absl::StrCat("fpo-cache at ", cache_->address(), " did not answer ", what, " for ",
                       absl::FormatDuration(options_.patience), ": ", status.message()));
    }
    if (!silent_since) {
      silent_since = BootNow();
      SaySilent(what, status);
    }
    if (!WaitUnlessStopped(stop_, backoff.Next())) return Stopped();
  }
}

void ReferencePhase::SaySilent(const char* what, const absl::Status& status) {
  observer_->Note(absl::StrCat("fpo-cache at ", cache_->address(), " does not answer ", what, " (",
                               status.message(), "); trying again for up to ",
                               absl::FormatDuration(options_.patience)));
  observer_->OnWaiting(absl::StrCat(
      "waiting for fpo-cache at ", cache_->address(), ", which has not answered since ",
      absl::FormatTime("%H:%M:%SZ", absl::Now(), absl::UTCTimeZone())));
}

absl::StatusOr<std::string> ReferencePhase::Run(const ReferenceRequest& request,
                                                std::stop_token stop) {
  request_ = request;
  stop_ = std::move(stop);
  const absl::Time start = BootNow();
  if (const absl::Status plan = ReadPlan(); !plan.ok()) {
    // Agent and trainer wrote and read it, so any fault is this host's.
    return absl::DataLossError(plan.message());
  }
  absl::Status status;
  for (int round = 0; round < kRoundsMax; ++round) {
    status = Register();
    if (status.ok() && round == 0) {
      use_.records_hit = count_.present();
      use_.saved_seconds = count_.saved.seconds;
      use_.saved_flops = count_.saved.flops;
      observer_->OnCacheUse(use_);
      if (count_.saved.seconds >= 1) {
        observer_->Note(absl::StrCat(
            use_.records_hit, " of ", count_.total,
            " reference records were there already; they took ",
            absl::FormatDuration(absl::Seconds(static_cast<int64_t>(count_.saved.seconds))),
            " to compute"));
      }
    }
    if (status.ok() && count_.missing > 0) status = ComputeMissing();
    scorer_->Finish();
    use_.reference_seconds = absl::ToDoubleSeconds(BootNow() - start - waited_);
    if (IsLostData(status)) continue;
    FPO_RETURN_IF_ERROR(status);
    absl::StatusOr<std::string> file = store_->Find(list_);
    if (!file.ok()) file = Pull();
    use_.reference_seconds = absl::ToDoubleSeconds(BootNow() - start - waited_);
    observer_->OnCacheUse(use_);
    if (file.ok() || !IsLostData(file.status())) return file;
    status = file.status();
    observer_->Note(absl::StrCat("the cache no longer has every record: ", status.message()));
  }
  return absl::UnavailableError(absl::StrCat("fpo-cache at ", cache_->address(), " lost records ",
                                             kRoundsMax, " times: ", status.message()));
}

absl::StatusOr<std::string> ReferencePhase::Pull() {
  int64_t pulled = 0;
  bool silent = false;
  return store_->Pull(
      list_,
      [&](int64_t count) {
        if (count == pulled) return;
        if (std::exchange(silent, false)) observer_->OnWaiting("");
        observer_->OnPulled(count - std::exchange(pulled, count));
      },
      stop_,
      [&](const absl::Status& why) {
        if (!std::exchange(silent, true)) SaySilent("PullManifest", why);
      });
}

absl::Status ReferencePhase::ReadPlan() {
  const std::string path = request_.prepared + "/reference.json";
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kPlanBytesMax));
  FPO_ASSIGN_OR_RETURN(const nlohmann::json plan, ParseJson(text));
  std::string canonical;
  int64_t count = 0;
  FPO_RETURN_IF_ERROR(ReadMember(plan, "recipe", &canonical));
  FPO_RETURN_IF_ERROR(ReadMember(plan, "count", &count));
  FPO_ASSIGN_OR_RETURN(list_.recipe, ParseRecipe(canonical));
  FPO_ASSIGN_OR_RETURN(list_.keys, ReadKeysFile(request_.prepared + "/reference.keys"));
  if (count != static_cast<int64_t>(list_.keys.size()) || list_.keys.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " lists ", count, " keys, but reference.keys next to it has ", list_.keys.size()));
  }
  const Digest recipe_id = RecipeId(list_.recipe);
  list_.manifest = ManifestId(recipe_id, list_.keys);
  use_.records_total = count;
  use_.recipe_id = ToHex(recipe_id);
  use_.manifest_id = ToHex(list_.manifest);
  return absl::OkStatus();
}

absl::Status ReferencePhase::Register() {
  NewManifest manifest{.recipe = CanonicalRecipe(list_.recipe),
                       .keys = list_.keys,
                       .owner = request_.owner,
                       .name = request_.name,
                       .share = request_.share};
  FPO_RETURN_IF_ERROR(Persist("PutManifest", [&] {
    FPO_ASSIGN_OR_RETURN(count_, cache_->PutManifest(manifest, stop_));
    return absl::OkStatus();
  }));
  if (count_.manifest_id != list_.manifest) {
    return absl::InternalError(absl::StrCat(
        "fpo-cache at ", cache_->address(), " names manifest ", ToHex(count_.manifest_id),
        ", the agent ", use_.manifest_id, "; one of them is of another version"));
  }
  observer_->OnRecords(count_.present(), count_.total);
  return absl::OkStatus();
}

absl::Status ReferencePhase::ComputeMissing() {
  // A claim is a promise to compute now, so it is made only once the model is loaded.
  FPO_RETURN_IF_ERROR(scorer_->Start());
  for (;;) {
    if (stop_.stop_requested()) return Stopped();
    if (!options_.may_claim()) {
      if (!WaitUnlessStopped(stop_, absl::Milliseconds(200))) return Stopped();
      continue;
    }
    RecordClaim claim;
    const ClaimRequest ask{.manifest_id = list_.manifest,
                           .limit = options_.claim_records,
                           .builder = request_.builder,
                           .request_id = RandomId(16)};
    FPO_RETURN_IF_ERROR(Persist("Claim", [&] {
      FPO_ASSIGN_OR_RETURN(claim, cache_->Claim(ask));
      return absl::OkStatus();
    }));
    if (claim.complete) {
      observer_->OnRecords(count_.total, count_.total);
      return absl::OkStatus();
    }
    FPO_RETURN_IF_ERROR(claim.claim_id == 0 ? WaitForOthers(claim) : WorkOff(claim));
  }
}

absl::Status ReferencePhase::WaitForOthers(const RecordClaim& claim) {
  const absl::Time start = BootNow();
  const auto on_change = [&](const ManifestProgress& progress) {
    observer_->OnRecords(progress.present, progress.total);
    return progress.claimable == 0 && progress.present < progress.total;
  };
  FPO_RETURN_IF_ERROR(Persist("WaitManifest", [&] {
    return cache_->WaitManifest(list_.manifest, options_.wait_time, on_change, stop_);
  }));
  // A stream that ends at once with nothing to claim must not cause a busy loop.
  const absl::Duration least =
      std::clamp(claim.retry_after, absl::Milliseconds(50), absl::Milliseconds(500));
  const absl::Duration left = least - (BootNow() - start);
  if (left > absl::ZeroDuration() && !WaitUnlessStopped(stop_, left)) return Stopped();
  return absl::OkStatus();
}

absl::Status ReferencePhase::WorkOff(const RecordClaim& claim) {
  HeldClaim held{.claim = claim, .renew_at = options_.now() + claim.lease / 3};
  absl::Status status;
  while (status.ok() && !held.lost && held.next < claim.ordinals.size()) {
    if (stop_.stop_requested()) {
      status = Stopped();
      break;
    }
    status = ScoreSegment(&held, std::min(segment_records_, claim.ordinals.size() - held.next));
  }
  if (IsLostClaim(status)) {
    held.lost = true;
    status = absl::OkStatus();
  }
  lost_claims_ = held.stored > 0 ? 0 : lost_claims_ + (held.lost ? 1 : 0);
  if (held.lost && lost_claims_ >= kLostClaimsMax) {
    return absl::UnavailableError(
        absl::StrCat(lost_claims_, " claims in a row at fpo-cache ", cache_->address(),
                     " were lost before a record was stored; is the lease shorter than the work?"));
  }
  if (held.lost) {
    observer_->Note(absl::StrCat("claim ", claim.claim_id, " was lost after ", held.stored, " of ",
                                 claim.ordinals.size(), " records; claiming again"));
  } else if (held.next < claim.ordinals.size()) {
    // Others may go on at once; when this fails the lease runs out instead.
    (void)cache_->ReleaseClaim(claim.claim_id);
  }
  return status;
}

absl::Status ReferencePhase::ScoreSegment(HeldClaim* held, size_t count) {
  const auto first = held->claim.ordinals.begin() + static_cast<std::ptrdiff_t>(held->next);
  const std::vector<int64_t> ordinals(first, first + static_cast<std::ptrdiff_t>(count));
  const std::string file =
      absl::StrCat(request_.scratch, "/segment-", held->claim.claim_id, "-", held->next, ".fpr");
  const absl::Time start = BootNow();
  Cost cost;
  FPO_ASSIGN_OR_RETURN(
      cost.flops, scorer_->Score(ordinals, file, [&](int64_t done) { RenewWhenDue(held, done); }));
  cost.time = BootNow() - start;
  AdaptSegment(count, cost.time);
  const absl::Status uploaded = held->lost ? absl::OkStatus() : Upload(held, file, cost);
  unlink(file.c_str());
  FPO_RETURN_IF_ERROR(uploaded);
  held->next += count;
  return absl::OkStatus();
}

// The cache rejects foreign keys as a lost claim; computing them again would never end.
absl::Status ReferencePhase::CheckSegment(const HeldClaim& held,
                                          const std::vector<PackedRecord>& records) const {
  for (size_t i = 0; i < records.size(); ++i) {
    const size_t position = held.next + i;
    if (position < held.claim.ordinals.size() &&
        records[i].key == list_.keys[static_cast<size_t>(held.claim.ordinals[position])]) {
      continue;
    }
    return absl::InternalError(absl::StrCat("the scorer wrote a record with key ",
                                            ToHex(records[i].key), " that it was not asked for"));
  }
  return absl::OkStatus();
}

absl::Status ReferencePhase::Upload(HeldClaim* held, const std::string& file, const Cost& cost) {
  FPO_ASSIGN_OR_RETURN(const std::vector<PackedRecord> records, ReadSegment(file));
  FPO_RETURN_IF_ERROR(CheckSegment(*held, records));
  PutCounts stored;
  FPO_RETURN_IF_ERROR(Persist("PutRecords", [&] {
    const RecordUpload upload{.manifest_id = list_.manifest,
                              .claim_id = held->claim.claim_id,
                              .records = records,
                              .cost = {absl::ToDoubleSeconds(cost.time), cost.flops}};
    FPO_ASSIGN_OR_RETURN(stored, cache_->PutRecords(upload, stop_));
    return absl::OkStatus();
  }));
  const int64_t count = static_cast<int64_t>(records.size());
  held->stored += count;
  stored_by_us_ += count;
  use_.records_computed += count;
  observer_->OnComputed(count);
  observer_->OnRecords(std::min(count_.present() + stored_by_us_, count_.total), count_.total);
  if (stored.conflict > 0) {
    observer_->Note(absl::StrCat(stored.conflict, " of ", count,
                                 " records were already stored with other bytes, which are kept"));
  }
  return absl::OkStatus();
}

// A scorer that ticks is alive, with or without a record yet; ScoreProcess ends one that hangs.
void ReferencePhase::RenewWhenDue(HeldClaim* held, int64_t done) {
  if (held->lost || stop_.stop_requested() || options_.now() < held->renew_at) return;
  held->renew_at = options_.now() + held->claim.lease / 3;
  const absl::Status status = cache_->RenewClaim(held->claim.claim_id, held->stored + done);
  // Any other failure may pass; a claim that did lapse shows at the upload.
  if (IsLostClaim(status)) held->lost = true;
}

// Short segments show the claim's progress and limit the loss when something breaks.
void ReferencePhase::AdaptSegment(size_t count, absl::Duration took) {
  const double seconds = std::max(absl::ToDoubleSeconds(took), 1e-3);
  const double wanted =
      static_cast<double>(count) * absl::ToDoubleSeconds(options_.segment_time) / seconds;
  const double limit =
      static_cast<double>(std::min<size_t>(options_.claim_records, segment_records_ * 4));
  segment_records_ = static_cast<size_t>(std::clamp(wanted, 1.0, limit));
}

}  // namespace fpo::worker
