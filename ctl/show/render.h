#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "ctl/show/text_layout.h"
#include "proto/fpo/v1/cache.pb.h"
#include "proto/fpo/v1/coordinator.pb.h"
#include "proto/fpo/v1/job.pb.h"

namespace fpo::ctl {

// Text from messages: no clock, no terminal, no network. Every line ends in '
// '; the watch block and tables fit style.columns unless that is 0; the terminal wraps sheets of
// label and value.

// The changing parts of a followed job that are not in the job itself.
struct FollowState {
  absl::Time now = {};
  std::optional<double> units_per_second = {};  // of progress.done, measured
  std::string note = {};                        // "connection lost ..."; empty: connected
};

// The block that `watch` redraws: state, phases, bar, numbers, cache line.
std::string RenderWatchBlock(const fpo::v1::Job& job, const FollowState& follow,
                             const TextStyle& style);

// One line for a pipe: "j-1 RUNNING train 63 of 120 steps, loss 0.6321, ...".
std::string RenderWatchLine(const fpo::v1::Job& job, const FollowState& follow);

// How it ended: result metrics, where the output is; for a failure the reason and the next command.
std::string RenderSummary(const fpo::v1::Job& job, const TextStyle& style);

std::string RenderJobList(const std::vector<fpo::v1::Job>& jobs, absl::Time now,
                          const TextStyle& style);
std::string RenderJob(const fpo::v1::Job& job, absl::Time now, const TextStyle& style);  // describe
std::string RenderComparison(const std::vector<fpo::v1::Job>& jobs, const TextStyle& style);
std::string RenderWorkers(const std::vector<fpo::v1::Worker>& workers, absl::Time now,
                          const TextStyle& style);
std::string RenderQueue(const std::vector<fpo::v1::QueuedJob>& rows, absl::Time now,
                        const TextStyle& style);
std::string RenderManifests(const std::vector<fpo::v1::Manifest>& manifests, absl::Time now,
                            const TextStyle& style);
std::string RenderManifest(const fpo::v1::Manifest& manifest, const TextStyle& style);
std::string RenderCacheStats(const fpo::v1::StatsResponse& stats, const TextStyle& style);

// "records: 1,204 of 2,400 present, 1,196 to compute"; empty without cache use.
std::string CacheLine(const fpo::v1::Job& job);

}  // namespace fpo::ctl
