#include "coordinator/core/provision/provision_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace fpo::coordinator {
namespace {

std::string UtcText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

std::string Count(int32_t count, absl::string_view what) {
  return absl::StrCat(count, " ", what, count == 1 ? "" : "s");
}

// By what the engine's own list shows it.
std::string NameOf(const ProvisionRequest& request) {
  return request.reference.empty() ? absl::StrCat(request.id, ", not taken yet")
                                   : request.reference;
}

std::string AttemptText(const ProvisionRequest& request) {
  return request.attempt > 1 ? absl::StrCat(", attempt ", request.attempt) : "";
}

}  // namespace

std::string RequestNote(const ProvisionRequest& request, const ProvisionPool& pool) {
  return absl::StrCat("asked ", EngineName(pool.engine), " for ", Count(request.workers, "worker"),
                      " at ", UtcText(request.asked), " (pool ", pool.name, ", request ",
                      NameOf(request), AttemptText(request), ")");
}

std::string RequestLine(const ProvisionRequest& request, const ProvisionPool& pool,
                        absl::Time wall) {
  const absl::Duration ago =
      absl::Trunc(std::max(wall - request.asked, absl::ZeroDuration()), absl::Seconds(1));
  std::string standing;
  if (request.state == ProvisionRequest::State::kAsked) {
    standing = request.started == absl::InfinitePast() ? "; queued there" : "; starting";
  }
  if (request.arrived > 0) {
    standing = absl::StrCat("; ", request.arrived, " of ", request.workers, " came");
  }
  return absl::StrCat("asked ", EngineName(pool.engine), " for ", Count(request.workers, "worker"),
                      " of ", Count(pool.slots_per_worker, "slot"), " ", absl::FormatDuration(ago),
                      " ago: request ", NameOf(request), " of pool ", pool.name,
                      AttemptText(request), standing);
}

std::string WaitNote(const ProvisionPool& pool, const Job& job, absl::Time until) {
  return absl::StrCat("asks pool ", pool.name, " for ", Count(WorkersFor(pool, job), "worker"),
                      " at ", UtcText(until));
}

std::string BackoffNote(const ProvisionPool& pool, const std::string& why, absl::Time until) {
  return absl::StrCat("pool ", pool.name, " is asked again at ", UtcText(until), ": ", why);
}

std::string QuotaNote(const ProvisionPool& pool, const WorkerQuota& quota,
                      const std::string& owner) {
  return absl::StrCat("pool ", pool.name, " has ", quota.used, " of ", Count(quota.most, "worker"),
                      " in use", owner.empty() ? "" : absl::StrCat(" for ", owner),
                      ", the job needs ", quota.asked);
}

std::string NoPoolNote(const std::vector<ProvisionPool>& pools, const Job& job) {
  if (pools.empty()) return "";
  return absl::StrCat("no pool may hold ", Count(job.demand.slots, "slot"),
                      job.demand.require.empty() ? "" : " with its labels");
}

}  // namespace fpo::coordinator
