#include "coordinator/core/jobs/restart_rules.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace fpo::coordinator {
namespace {

absl::Duration Doubling(absl::Duration first, int times) {
  const absl::Duration longest = absl::Minutes(5);
  absl::Duration wait = first;
  for (int i = 0; i < times && wait < longest; ++i) wait *= 2;
  return std::min(wait, longest);
}

bool EndedAsBefore(const Job& job) {
  if (job.attempts.size() < 2) return false;
  const Attempt& last = job.attempts.back();
  const Attempt& before = job.attempts[job.attempts.size() - 2];
  return IsCounted(last) && last.end_class == before.end_class && last.end_step > 0 &&
         last.end_step == before.end_step;
}

}  // namespace

bool IsCounted(const Attempt& attempt) {
  return attempt.end_class != EndClass::kInfrastructure && attempt.end_class != EndClass::kAsked;
}

std::string DescribeEnd(const Job& job) {
  const Attempt& last = job.attempts.back();
  std::string text(Name(last.end_class));
  if (!last.end_message.empty()) absl::StrAppend(&text, ": ", last.end_message);
  if (EndedAsBefore(job)) {
    absl::StrAppend(&text, " (at step ", last.end_step, ", as attempt ", last.number - 1,
                    " before it)");
  }
  return text;
}

std::optional<std::string> FatalReason(const Job& job) {
  const Attempt& last = job.attempts.back();
  if (last.end_class == EndClass::kInvalid) return DescribeEnd(job);
  if (last.end_class == EndClass::kMemory && !job.demand.retry_on_oom) {
    return absl::StrCat(DescribeEnd(job), " (retry.on_oom is fail)");
  }
  if (IsCounted(last) && job.restarts_used >= job.demand.max_restarts) {
    return absl::StrCat("restart budget spent (", job.restarts_used, " of ",
                        job.demand.max_restarts, "); ", DescribeEnd(job));
  }
  if (!last.progressed && job.attempts_without_progress + 1 >= kAttemptsWithoutProgressMax) {
    return absl::StrCat(
        "no-progress: ", kAttemptsWithoutProgressMax,
        " attempts in a row ended without a new checkpoint or phase; last: ", DescribeEnd(job));
  }
  return std::nullopt;
}

absl::Duration RecoveryBackoff(int requeues) {
  return requeues == 0 ? absl::Seconds(1) : Doubling(absl::Seconds(5), requeues - 1);
}

absl::Duration RefusalBackoff(int requeues) { return Doubling(absl::Seconds(5), requeues); }

void RecordHostFault(absl::string_view worker, bool in_preflight, Job* job) {
  ++job->host_faults[std::string(worker)];
  if (!job->attempts.empty()) job->attempts.back().lost_worker = true;
  if (in_preflight) job->unready_hosts.insert(std::string(worker));
}

void ClearHostFaults(const std::string& worker, Job* job) {
  job->host_faults.erase(worker);
  job->unready_hosts.erase(worker);
}

bool IsExcluded(const Job& job, const std::string& worker) {
  const auto faults = job.host_faults.find(worker);
  if (faults == job.host_faults.end()) return false;
  return faults->second >= kHostFaultsMax || job.unready_hosts.count(worker) > 0;
}

std::string DescribeFaults(const Job& job, const std::string& worker) {
  if (job.unready_hosts.count(worker) > 0) return "its preflight for this job failed";
  return absl::StrCat("it failed this job ", job.host_faults.at(worker), " times in a row");
}

}  // namespace fpo::coordinator
