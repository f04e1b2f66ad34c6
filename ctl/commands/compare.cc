#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/error_info.h"
#include "common/status_macros.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"
#include "ctl/show/render.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

constexpr int kComparedJobsMax = 500;  // one page

// The jobs with these labels, the oldest first; those that only compute records have no results.
absl::StatusOr<std::vector<std::string>> LabelledJobs(CoordinatorClient& coordinator,
                                                      const std::vector<std::string>& labels) {
  pb::ListJobsRequest request;
  request.set_page_size(kComparedJobsMax);
  for (const std::string& label : labels) {
    const size_t equals = label.find('=');
    (*request.mutable_labels())[label.substr(0, equals)] = label.substr(equals + 1);
  }
  FPO_ASSIGN_OR_RETURN(const pb::ListJobsResponse answer, coordinator.ListJobs(request));
  std::vector<std::string> ids;
  for (const pb::Job& job : answer.jobs()) {
    if (job.kind() != pb::JOB_KIND_REFERENCE) ids.push_back(job.job_id());
  }
  std::reverse(ids.begin(), ids.end());
  if (!ids.empty()) return ids;
  return WithErrorInfo(
      absl::NotFoundError(absl::StrCat("no job has the label ", absl::StrJoin(labels, " and "))),
      {.reason = ErrorReason::kNoJobs, .hint = "their labels: fpoctl list --json"});
}

// Suggests what to type: the jobs that have results, the newest first.
absl::Status NothingToCompare(CoordinatorClient& coordinator) {
  pb::ListJobsRequest request;
  request.set_page_size(kComparedJobsMax);
  request.add_states(pb::JOB_STATE_SUCCEEDED);
  FPO_ASSIGN_OR_RETURN(const pb::ListJobsResponse answer, coordinator.ListJobs(request));
  std::vector<std::string> ids;
  for (const pb::Job& job : answer.jobs()) {
    if (job.kind() == pb::JOB_KIND_TRAIN && ids.size() < 2) ids.push_back(job.job_id());
  }
  const std::string message = "compare: name the jobs to compare, or a label with --label";
  if (ids.empty()) {
    return UsageError(absl::StrCat(message, "; none has SUCCEEDED yet"), "fpoctl list");
  }
  return UsageError(message, absl::StrCat("fpoctl compare ", absl::StrJoin(ids, " ")));
}

absl::StatusOr<ExitCode> RunCompare(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  std::vector<std::string> names = session.invocation.GetAll("JOB");
  const std::vector<std::string> labels = session.invocation.GetAll("label");
  if (!labels.empty()) {
    FPO_ASSIGN_OR_RETURN(const std::vector<std::string> more, LabelledJobs(coordinator, labels));
    names.insert(names.end(), more.begin(), more.end());
  }
  if (names.empty()) return NothingToCompare(coordinator);
  std::vector<pb::Job> jobs;
  for (const std::string& name : names) {
    FPO_ASSIGN_OR_RETURN(const pb::GetJobResponse answer, coordinator.GetJob(name));
    jobs.push_back(answer.job());
    if (session.settings().json) session.out << WireJson(answer) << "\n";
    if (session.settings().quiet && !session.settings().json)
      session.out << answer.job().job_id() << "\n";
  }
  if (!session.settings().json && !session.settings().quiet) {
    session.out << RenderComparison(jobs, session.style());
  }
  return ExitCode::kOk;
}

}  // namespace

CommandSpec CompareCommand() {
  CommandSpec c{"compare", "look", "put the results of several jobs side by side"};
  c.details =
      "Held-out accuracy, reward margin, entropy and divergence, reference records found in the "
      "cache, forward passes of the reference, times and peak memory.";
  ArgumentSpec jobs = JobsArgument();
  jobs.required = false;
  c.arguments = {jobs};
  c.options = {{"label", "", ValueKind::kLabel, "NAME=VALUE",
                "the jobs with this label, e.g. sweep=ID; may be repeated: with all of them",
                true}};
  c.examples = {{"fpoctl compare tiny-dpo tiny-fpo", "two runs by name"},
                {"fpoctl compare --label sweep=5f0c2a9e", "the runs of a sweep"}};
  c.json = {"GetJobResponse"};
  c.run = RunCompare;
  return c;
}

}  // namespace fpo::ctl
