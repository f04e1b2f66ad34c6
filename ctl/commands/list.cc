#include <algorithm>

#include "common/status_macros.h"
#include "common/wire/enums.h"
#include "common/wire/wire_json.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"
#include "ctl/show/render.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

constexpr int kJobsPageMax = 500;
constexpr int64_t kDefaultJobs = 100;

// All pages up to `limit` jobs (0: all), as one response; next_page_token says whether there are
// more.
absl::StatusOr<pb::ListJobsResponse> ListUpTo(CoordinatorClient& coordinator,
                                              pb::ListJobsRequest request, int64_t limit) {
  pb::ListJobsResponse all;
  do {
    const int64_t left = limit == 0 ? kJobsPageMax : limit - all.jobs_size();
    request.set_page_size(static_cast<int32_t>(std::min<int64_t>(left, kJobsPageMax)));
    FPO_ASSIGN_OR_RETURN(const pb::ListJobsResponse page, coordinator.ListJobs(request));
    all.MergeFrom(page);
    all.set_next_page_token(page.next_page_token());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && (limit == 0 || all.jobs_size() < limit));
  return all;
}

absl::StatusOr<ExitCode> RunList(Session& session) {
  const Invocation& invocation = session.invocation;
  pb::ListJobsRequest request;
  request.set_owner(invocation.Get("owner"));
  for (const std::string& label : invocation.GetAll("label")) {
    const size_t equals = label.find('=');
    (*request.mutable_labels())[label.substr(0, equals)] = label.substr(equals + 1);
  }
  for (const std::string& name : invocation.GetAll("state")) {
    if (const auto state = FromName<JobState>(name)) request.add_states(ToProto(*state));
  }
  const int64_t limit = invocation.GetCount("limit", kDefaultJobs);
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const pb::ListJobsResponse answer, ListUpTo(coordinator, request, limit));
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
    return ExitCode::kOk;
  }
  if (session.settings().quiet) {
    for (const pb::Job& job : answer.jobs()) session.out << job.job_id() << "\n";
    return ExitCode::kOk;
  }
  session.out << RenderJobList({answer.jobs().begin(), answer.jobs().end()}, absl::Now(),
                               session.style());
  if (!answer.next_page_token().empty()) {
    session.err << "there are more than these " << answer.jobs_size()
                << " jobs; all: fpoctl list --limit 0\n";
  }
  return ExitCode::kOk;
}

}  // namespace

CommandSpec ListCommand() {
  CommandSpec c{"list", "look", "list jobs, the newest first"};
  c.options = {{"state",
                "",
                ValueKind::kChoice,
                "STATE",
                "only jobs in this state; may be repeated",
                true,
                {"QUEUED", "HELD", "RESERVED", "STARTING", "RUNNING", "RECOVERING", "PAUSING",
                 "PAUSED", "PREEMPTING", "CANCELLING", "SUCCEEDED", "FAILED", "CANCELLED"}},
               {"owner", "", ValueKind::kText, "USER", "only this user's jobs"},
               {"label", "", ValueKind::kLabel, "NAME=VALUE",
                "only jobs with this label; may be repeated", true},
               {"limit", "", ValueKind::kCount, "N", "at most N jobs, 0 for all (default: 100)"}};
  c.examples = {{"fpoctl list", "all users' newest jobs"},
                {"fpoctl list --state RUNNING --state QUEUED", "what runs and what waits"},
                {"fpoctl list -q --state FAILED", "only ids, for scripts"}};
  c.json = {"ListJobsResponse"};
  c.run = RunList;
  return c;
}

}  // namespace fpo::ctl
