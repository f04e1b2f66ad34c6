#include "coordinator/config.h"

#include <algorithm>
#include <utility>

#include "common/rpc/security/peer_address.h"
#include "common/status_macros.h"
#include "common/text/duration_text.h"
#include "coordinator/core/hooks/hook_file.h"

namespace fpo::coordinator {

absl::Status CoordinatorConfig::Validate() const {
  FPO_RETURN_IF_ERROR(ValidateListen(listen));
  if (listen.listen.empty()) return absl::InvalidArgumentError("--listen is empty");
  if (!store.empty()) {
    if (!data.empty()) {
      return absl::InvalidArgumentError("--store and --data exclude each other: name one store");
    }
    FPO_RETURN_IF_ERROR(CheckPostgresAddress(store));
    FPO_RETURN_IF_ERROR(CheckDurationFlag("--leader-lease", leader_lease,
                                          {absl::Milliseconds(500), absl::Minutes(10)}));
  } else if (data.empty()) {
    return absl::InvalidArgumentError("--data is missing: name a folder for jobs and logs");
  }
  if (cache.empty() && !cache_ca.empty()) {
    return absl::InvalidArgumentError("--cache-ca is of --cache, which is missing");
  }
  if (!cache.empty()) FPO_RETURN_IF_ERROR(AboutFlag("--cache", CheckPeerAddress(cache)));
  FPO_RETURN_IF_ERROR(CheckDurationFlag("--heartbeat", options.heartbeat,
                                        {absl::Milliseconds(50), absl::Minutes(1)}));
  FPO_RETURN_IF_ERROR(
      CheckDurationFlag("--lease", options.lease, {absl::Milliseconds(200), absl::Hours(1)}));
  // Two lost beats must not end a lease.
  FPO_RETURN_IF_ERROR(CheckDurationFlag("--lease", options.lease,
                                        {3 * options.heartbeat, absl::InfiniteDuration()}));
  FPO_RETURN_IF_ERROR(
      CheckDurationFlag("--reattach", options.reattach, {options.lease, absl::Hours(24)}));
  if (backup_keep < 1) return absl::InvalidArgumentError("--backup-keep must be at least 1");
  if (backup_every != absl::ZeroDuration()) {
    FPO_RETURN_IF_ERROR(CheckDurationFlag("--backup-every", backup_every,
                                          {absl::Seconds(1), absl::Hours(24 * 365)}));
  }
  if (!webhooks.empty()) FPO_RETURN_IF_ERROR(ReadHookFile(webhooks).status());
  return CheckDurationFlag("--shutdown-grace", grace, {absl::ZeroDuration(), absl::Minutes(10)});
}

absl::StatusOr<std::shared_ptr<PostgresKeyValues>> OpenPostgres(const CoordinatorConfig& config) {
  PostgresOptions options;
  options.address = config.store;
  options.password_file = config.store_password_file;
  // Several renewals fit into a lease.
  options.lead_answer_time = std::max(config.leader_lease / 4, absl::Milliseconds(500));
  return PostgresKeyValues::Open(std::move(options));
}

}  // namespace fpo::coordinator
