#include "coordinator/core/scheduling/run_times.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"

namespace fpo::coordinator {
namespace {

constexpr size_t kRemembered = 5;

std::string CoarseKey(const Job& job) { return absl::StrCat(Name(job.kind), "/", job.method); }
std::string FineKey(const Job& job) {
  return absl::StrCat(CoarseKey(job), "/", job.demand.data_key, "/", job.demand.slots);
}

}  // namespace

void RunTimes::Note(const Job& succeeded) {
  if (!succeeded.started || !succeeded.ended) return;
  if (!succeeded.reason.empty()) return;  // it found its work already done
  for (const std::string& key : {CoarseKey(succeeded), FineKey(succeeded)}) {
    std::deque<absl::Duration>& times = times_[key];
    times.push_back(*succeeded.ended - *succeeded.started);
    if (times.size() > kRemembered) times.pop_front();
  }
}

std::optional<absl::Duration> RunTimes::Usual(const Job& job) const {
  for (const std::string& key : {FineKey(job), CoarseKey(job)}) {
    const auto found = times_.find(key);
    if (found == times_.end()) continue;
    std::vector<absl::Duration> times(found->second.begin(), found->second.end());
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  }
  return std::nullopt;
}

std::optional<absl::Time> EndEstimate(const Job& running, std::optional<absl::Duration> usual,
                                      absl::Time now) {
  const Progress& progress = running.progress;
  const auto pace = progress.metrics.find("step_seconds");
  if (progress.phase == Phase::kTrain && pace != progress.metrics.end() && pace->second > 0 &&
      progress.total_steps > progress.step) {
    const auto left = static_cast<double>(progress.total_steps - progress.step);
    return now + absl::Seconds(left * pace->second);
  }
  if (!usual || !running.started) return std::nullopt;
  return std::max(now, *running.started + *usual);
}

}  // namespace fpo::coordinator
