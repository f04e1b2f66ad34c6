#include "ctl/jobs/namesakes.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "common/wire/enums.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/show/text_layout.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

constexpr int kNamesakesMax = 100;
constexpr size_t kNamedMax = 3;

std::string WithState(const pb::Job& job) {
  return absl::StrCat(job.job_id(), " (", TextOf(job.state()), ")");
}

// The other jobs of the name, newest first.
absl::StatusOr<std::vector<pb::Job>> Namesakes(Session& session, CoordinatorClient& coordinator,
                                               const pb::Job& job) {
  std::vector<pb::Job> others;
  if (session.invocation.Get("JOB") != job.name() || job.name() == job.job_id()) return others;
  pb::ListJobsRequest request;
  request.set_name(job.name());
  request.set_page_size(kNamesakesMax);
  FPO_ASSIGN_OR_RETURN(const pb::ListJobsResponse answer, coordinator.ListJobs(request));
  for (const pb::Job& each : answer.jobs()) {
    if (each.job_id() != job.job_id() && each.name() == job.name()) others.push_back(each);
  }
  return others;
}

}  // namespace

absl::Status NoteNamesakes(Session& session, CoordinatorClient& coordinator, const pb::Job& job) {
  if (session.settings().quiet) return absl::OkStatus();
  FPO_ASSIGN_OR_RETURN(const std::vector<pb::Job> others, Namesakes(session, coordinator, job));
  if (others.empty()) return absl::OkStatus();
  std::vector<std::string> named;
  for (size_t i = 0; i < std::min(others.size(), kNamedMax); ++i) {
    named.push_back(WithState(others[i]));
  }
  if (others.size() > kNamedMax) {
    named.push_back(absl::StrCat(others.size() - kNamedMax, " more"));
  }
  session.err << "note: " << OneLine(job.name()) << " is the newest job of that name, "
              << WithState(job) << "; others: " << absl::StrJoin(named, ", ")
              << ". Name one by its id\n";
  return absl::OkStatus();
}

absl::StatusOr<pb::Job> WithResult(Session& session, CoordinatorClient& coordinator,
                                   const pb::Job& job) {
  if (job.state() != pb::JOB_STATE_FAILED && job.state() != pb::JOB_STATE_CANCELLED) return job;
  FPO_ASSIGN_OR_RETURN(const std::vector<pb::Job> others, Namesakes(session, coordinator, job));
  for (const pb::Job& other : others) {
    if (other.state() != pb::JOB_STATE_SUCCEEDED) continue;
    session.err << "note: the newest job named " << OneLine(job.name()) << ", " << WithState(job)
                << ", has no result; this is that of " << WithState(other) << "\n";
    return other;
  }
  return job;
}

}  // namespace fpo::ctl
