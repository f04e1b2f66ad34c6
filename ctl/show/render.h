#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "ctl/show/job_view.h"
#include "ctl/show/text_layout.h"

namespace fpo::ctl {

// Text from plain values: no clock, no terminal, no network. Every line ends in '\n'; the watch
// block and tables fit style.columns when that is not 0, sheets of label and value are left to the
// terminal to wrap.

// The changing parts of a followed job that are not in the job itself.
struct FollowState {
  absl::Time now = {};
  std::optional<double> units_per_second = {};  // of progress.done, measured
  std::string note = {};                        // "connection lost ..."; empty: all is well
};

// The block that `watch` redraws: state, phases, bar, numbers, cache line.
std::string RenderWatchBlock(const JobView& job, const FollowState& follow, const TextStyle& style);

// One line for a pipe: "j-1 RUNNING train 63 of 120 steps, loss 0.6321, ...".
std::string RenderWatchLine(const JobView& job, const FollowState& follow);

// How it ended: result metrics, where the output is; for a failure the reason and the next command.
std::string RenderSummary(const JobView& job, const TextStyle& style);

std::string RenderJobList(const std::vector<JobView>& jobs, absl::Time now, const TextStyle& style);
std::string RenderJob(const JobView& job, absl::Time now, const TextStyle& style);  // describe
std::string RenderComparison(const std::vector<JobView>& jobs, const TextStyle& style);
std::string RenderWorkers(const std::vector<WorkerView>& workers, absl::Time now,
                          const TextStyle& style);
std::string RenderQueue(const std::vector<QueueRow>& rows, absl::Time now, const TextStyle& style);
std::string RenderManifests(const std::vector<ManifestView>& manifests, absl::Time now,
                            const TextStyle& style);
std::string RenderManifest(const ManifestView& manifest, const TextStyle& style);
std::string RenderCacheStats(const CacheStatsView& stats, const TextStyle& style);

// "records: 1,204 of 2,400 present, 1,196 to compute"; empty without cache use.
std::string CacheLine(const JobView& job);

}  // namespace fpo::ctl
