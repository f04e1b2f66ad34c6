#include "cache/config.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/object_store/object_url.h"
#include "common/rpc/security/peer_address.h"
#include "common/status_macros.h"
#include "common/text/duration_text.h"

namespace fpo::cache {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);

struct Range {
  int64_t least;
  int64_t most;
};

absl::Status CheckNumber(const char* flag, int64_t value, Range range) {
  if (value >= range.least && value <= range.most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(flag, " is ", value, "; ", range.least, " to ", range.most, " are allowed"));
}

}  // namespace

absl::Status CacheConfig::CheckRetention() const {
  for (const auto& [flag, value] :
       {std::pair("--keep-unused", keep_unused), std::pair("--gc-every", gc_every),
        std::pair("--scrub-every", scrub_every)}) {
    FPO_RETURN_IF_ERROR(
        CheckDurationFlag(flag, value, {absl::Seconds(1), absl::InfiniteDuration()}));
  }
  FPO_RETURN_IF_ERROR(CheckNumber("--evict-mib", evict_mib, {0, 1 << 30}));
  FPO_RETURN_IF_ERROR(CheckNumber("--reject-mib", reject_mib, {0, 1 << 30}));
  if (reject_mib > 0 && evict_mib > reject_mib) {
    return absl::InvalidArgumentError(absl::StrCat("--evict-mib is ", evict_mib,
                                                   " and --reject-mib ", reject_mib,
                                                   "; eviction must begin first"));
  }
  return CheckNumber("--scrub-mib-per-second", scrub_mib_per_second, {0, 1 << 20});
}

absl::Status CacheConfig::CheckBucket() const {
  FPO_RETURN_IF_ERROR(
      CheckDurationFlag("--bucket-wait", bucket_wait, {absl::ZeroDuration(), absl::Minutes(4)}));
  if (bucket.empty()) return absl::OkStatus();
  FPO_RETURN_IF_ERROR(AboutFlag("--bucket", ParseS3Url(bucket).status()));
  if (replica_of.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "--bucket and --replica-of exclude each other: give the bucket to the cache that this "
      "replica "
      "belongs to");
}

absl::Status CacheConfig::Validate() const {
  FPO_RETURN_IF_ERROR(ValidateListen(listen));
  if (listen.listen.empty()) return absl::InvalidArgumentError("--listen is empty");
  if (data.empty()) {
    return absl::InvalidArgumentError("--data is missing: name the folder of the store");
  }
  if (!replica_of.empty()) {
    FPO_RETURN_IF_ERROR(AboutFlag("--replica-of", CheckPeerAddress(replica_of)));
  }
  FPO_RETURN_IF_ERROR(CheckBucket());
  FPO_RETURN_IF_ERROR(CheckDurationFlag("--lease", lease, {absl::Milliseconds(100), kDay}));
  FPO_RETURN_IF_ERROR(CheckDurationFlag("--shutdown-grace", grace, {absl::ZeroDuration(), kDay}));
  FPO_RETURN_IF_ERROR(CheckDurationFlag("--idle", idle, {absl::Seconds(1), kDay}));
  FPO_RETURN_IF_ERROR(CheckNumber("--threads", threads, {2, 256}));
  FPO_RETURN_IF_ERROR(CheckNumber("--streams-max", streams_max, {1, 100'000}));
  FPO_RETURN_IF_ERROR(CheckNumber("--block-cache-mib", block_cache_mib, {1, 1 << 20}));
  FPO_RETURN_IF_ERROR(CheckNumber("--free-mib-min", free_mib_min, {0, 1 << 30}));
  FPO_RETURN_IF_ERROR(CheckRetention());
  return CheckNumber("--keys-in-memory-max", keys_in_memory_max, {1000, 1'000'000'000});
}

}  // namespace fpo::cache
