#pragma once

#include <memory>
#include <string>
#include <vector>

#include "coordinator/core/jobs/job.h"
#include "coordinator/core/lines/metric_cache.h"

namespace fpo::coordinator {

// One of several jobs whose curves the status page lays over each other, or the only one.
struct ShownRun {
  JobPtr job;
  std::string config_json;
  std::shared_ptr<const MetricCache::Curves> curves;
};

inline constexpr size_t kRunsMax = 12;  // more curves than that over each other show nothing

// {"jobs": [...], "final": rows, "differences": rows, "unread": names, "sections": [{"title",
// "if_empty", "figures": count}, ...]} and what ChartsJson gives for the figures of all sections,
// in their order. The same figures as in `fpoctl compare --html` and, of one job, as in its report.
std::string CompareJson(const std::vector<ShownRun>& runs);

}  // namespace fpo::coordinator
