#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands.h"
#include "client/convert.h"
#include "client/follow_job.h"
#include "client/human.h"
#include "client/job_display.h"
#include "client/job_source.h"
#include "client/request_id.h"
#include "client/rpc_status.h"
#include "common/error_info.h"
#include "common/job_file.h"
#include "common/status_macros.h"

namespace fpo::client {
namespace {

namespace pb = fpo::v1;

void PrintWarnings(Session& session, const std::vector<std::string>& warnings) {
  if (session.settings().quiet) return;
  for (const std::string& warning : warnings) {
    session.err << "warning: " << OneLine(warning) << "\n";
  }
}

std::vector<std::string> Strings(const google::protobuf::RepeatedPtrField<std::string>& field) {
  return {field.begin(), field.end()};
}

// Repeats a submit whose answer was lost, always with the same request id.
absl::StatusOr<pb::SubmitResponse> SubmitOnce(Session& session, CoordinatorClient& coordinator,
                                              const pb::SubmitRequest& request) {
  ReconnectOptions options = session.times.reconnect;
  options.give_up_after = session.times.submit_repeat_for;
  ReconnectPolicy policy(options);
  policy.Answered();
  while (true) {
    absl::StatusOr<pb::SubmitResponse> response = coordinator.Submit(request);
    if (response.ok() || !IsLost(response.status())) return response;
    const std::optional<absl::Duration> wait = policy.NextWait(absl::Now());
    if (!wait) return response;
    if (session.interrupt.WaitFor(*wait)) return InterruptedError();
  }
}

// The job may or may not be stored: say how to find out without storing it twice.
absl::Status LostSubmit(const absl::Status& status, const Session& session,
                        const std::string& request_id) {
  const ErrorInfo info = GetErrorInfo(status).value_or(ErrorInfo());
  absl::Status lost(status.code(), absl::StrCat(status.message(), " (submit with request id ",
                                                request_id, " may or may not have been stored)"));
  const std::string again = absl::StrCat("fpoctl submit ", session.invocation.Get("FILE"),
                                         " --request-id ", request_id, " stores it at most once");
  return WithErrorInfo(
      lost, {.reason = info.reason,
             .field = info.field,
             .hint = info.hint.empty() ? again : absl::StrCat(info.hint, "; then ", again)});
}

void PrintSubmitted(Session& session, const pb::SubmitResponse& response) {
  if (session.settings().json) {
    session.out << AnswerJson(response) << "\n" << std::flush;
  } else if (session.settings().quiet) {
    session.out << response.job_id() << "\n" << std::flush;
  } else {
    const std::string& id = response.job_id();
    session.out << "job " << id << " submitted\n"
                << "  follow    fpoctl watch " << id << "\n"
                << "  cancel    fpoctl cancel " << id << "\n"
                << "  describe  fpoctl describe " << id << "\n";
    if (!response.records().empty()) {
      session.out << "  records   " << OneLine(response.records()) << "\n";
    }
    session.out << std::flush;
  }
}

void PrintPreview(Session& session, const pb::ValidateResponse& answer) {
  session.out << "the coordinator would take this job; nothing was stored\n"
              << "  fit       " << OneLine(answer.fit()) << "\n"
              << "  ahead     " << answer.jobs_ahead() << " waiting\n";
  if (!answer.quota().empty()) session.out << "  quota     " << OneLine(answer.quota()) << "\n";
  const absl::Time start = absl::FromUnixSeconds(answer.start_estimate().seconds());
  session.out << "  start     "
              << (answer.has_start_estimate() ? "about " + LocalTime(start, session.style().zone)
                                              : "nobody can know yet")
              << "\n  takes     "
              << (answer.run_seconds_estimate() > 0
                      ? "about " + HumanDuration(absl::Seconds(answer.run_seconds_estimate())) +
                            ", as jobs like it did"
                      : "unknown, no job like it has succeeded yet")
              << "\n  records   "
              << (answer.records().empty() ? "known after prepare" : OneLine(answer.records()))
              << "\n  files     "
              << (answer.files().empty() ? "to be prepared" : OneLine(answer.files())) << "\n";
}

absl::StatusOr<ExitCode> DryRun(Session& session, const pb::SubmitRequest& asked) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  pb::ValidateRequest request;
  *request.mutable_spec() = asked.spec();
  *request.mutable_after_ok() = asked.after_ok();
  FPO_ASSIGN_OR_RETURN(const pb::ValidateResponse response, coordinator.Validate(request));
  PrintWarnings(session, Strings(response.warnings()));
  if (response.problems_size() > 0) {
    return WithErrorInfo(
        absl::InvalidArgumentError(absl::StrJoin(response.problems(), "\n")),
        {.reason = kInvalidJobReason, .hint = "fpoctl validate FILE names the lines"});
  }
  if (session.settings().json) {
    session.out << AnswerJson(response) << "\n";
  } else if (!session.settings().quiet) {
    PrintPreview(session, response);
  }
  return ExitCode::kOk;
}

// --set, and the options that are short for it.
std::vector<std::string> SettingsOf(const Invocation& invocation) {
  std::vector<std::string> set = invocation.GetAll("set");
  if (invocation.Has("name")) set.push_back("name=" + invocation.Get("name"));
  if (invocation.Has("priority")) {
    set.push_back("resources.priority=" + invocation.Get("priority"));
  }
  return set;
}

}  // namespace

absl::StatusOr<ExitCode> RunSubmit(Session& session) {
  const Invocation& invocation = session.invocation;
  FPO_ASSIGN_OR_RETURN(const JobConfig config,
                       LoadJob(invocation.Get("FILE"), SettingsOf(invocation)));
  pb::SubmitRequest request;
  request.mutable_spec()->set_config_json(WriteJobJson(config));
  request.mutable_spec()->set_owner(session.environment.user);
  request.set_hold(invocation.Has("hold"));
  for (const std::string& job : invocation.GetAll("after-ok")) request.add_after_ok(job);
  if (invocation.Has("dry-run")) return DryRun(session, request);
  request.set_request_id(invocation.Has("request-id") ? invocation.Get("request-id")
                                                      : NewRequestId());
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  const absl::StatusOr<pb::SubmitResponse> response = SubmitOnce(session, coordinator, request);
  if (!response.ok()) {
    const bool unsure = IsLost(response.status()) || session.interrupt.raised();
    return unsure ? LostSubmit(response.status(), session, request.request_id())
                  : response.status();
  }
  PrintWarnings(session, Strings(response->warnings()));
  PrintSubmitted(session, *response);
  if (!invocation.Has("wait")) return ExitCode::kOk;
  const std::unique_ptr<JobDisplay> display = MakeDisplay(session);
  return FollowJob(session, coordinator, {.job_id = response->job_id(), .answered = true},
                   *display);
}

}  // namespace fpo::client
