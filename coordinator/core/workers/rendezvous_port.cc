#include "coordinator/core/workers/rendezvous_port.h"

#include <functional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace fpo::coordinator {
namespace {

constexpr int32_t kFirstPort = 29500;
constexpr int32_t kPorts = 2000;  // below the ports that systems give to clients

}  // namespace

absl::StatusOr<int32_t> FreeRendezvousPort(const Job& job,
                                           const std::vector<JobPtr>& with_attempt) {
  std::set<int32_t> taken;
  for (const JobPtr& other : with_attempt) taken.insert(other->attempts.back().rendezvous_port);
  const size_t start = std::hash<std::string>()(absl::StrCat(job.job_id, "/", job.epoch)) % kPorts;
  for (int32_t i = 0; i < kPorts; ++i) {
    const int32_t port = kFirstPort + (static_cast<int32_t>(start) + i) % kPorts;
    if (taken.count(port) == 0) return port;
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("all ", kPorts, " ports at which ranks meet are taken"));
}

}  // namespace fpo::coordinator
