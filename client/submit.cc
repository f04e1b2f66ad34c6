#include <unistd.h>

#include <iomanip>
#include <random>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands.h"
#include "client/convert.h"
#include "client/follow_job.h"
#include "client/job_display.h"
#include "client/job_source.h"
#include "client/rpc_status.h"
#include "common/error_info.h"
#include "common/job_file.h"
#include "common/status_macros.h"

namespace fpo::client {
namespace {

namespace pb = fpo::v1;

// A random UUID (version 4).
std::string NewRequestId() {
  std::random_device random;
  std::ostringstream hex;
  hex << std::hex << std::setfill('0');
  for (int i = 0; i < 4; ++i) hex << std::setw(8) << static_cast<uint32_t>(random());
  std::string id = hex.str();
  id[12] = '4';
  id[16] = "89ab"[random() % 4];
  for (const size_t at : {20, 16, 12, 8}) id.insert(at, "-");
  return id;
}

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
                << "  describe  fpoctl describe " << id << "\n"
                << std::flush;
  }
}

absl::StatusOr<ExitCode> DryRun(Session& session, const pb::JobSpec& spec) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  pb::ValidateRequest request;
  *request.mutable_spec() = spec;
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
    session.out << "the coordinator would take this job; nothing was stored\n";
  }
  return ExitCode::kOk;
}

}  // namespace

absl::StatusOr<ExitCode> RunSubmit(Session& session) {
  const Invocation& invocation = session.invocation;
  FPO_ASSIGN_OR_RETURN(const JobConfig config,
                       LoadJob(invocation.Get("FILE"), invocation.GetAll("set")));
  pb::SubmitRequest request;
  request.mutable_spec()->set_config_json(WriteJobJson(config));
  request.mutable_spec()->set_owner(session.environment.user);
  if (invocation.Has("dry-run")) return DryRun(session, request.spec());
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
