#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"
#include "ctl/show/comparison_page.h"

namespace fpo::ctl {

constexpr size_t kPageJobsMax = 20;  // more curves than that over each other show nothing

// Fetches the numbers of the jobs' steps and the pairs of their newest evaluations, and writes the
// page of the comparison to `path`, which it replaces. Pairs that cannot be fetched are named on
// the page and on standard error. InvalidArgument (usage): too many jobs. As Metrics, as writing.
absl::Status WriteComparisonPage(Session& session, CoordinatorClient& coordinator,
                                 const std::vector<fpo::v1::Job>& jobs, const std::string& path);

}  // namespace fpo::ctl
