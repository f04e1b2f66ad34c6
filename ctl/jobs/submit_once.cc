#include "ctl/jobs/submit_once.h"

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/error_info.h"
#include "common/job/job_file.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/error_report.h"
#include "ctl/command_line/hint.h"
#include "ctl/jobs/follow_job.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/rpc_status.h"
#include "ctl/show/human.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

absl::StatusOr<pb::SubmitResponse> Repeat(Session& session, CoordinatorClient& coordinator,
                                          const pb::SubmitRequest& request) {
  ReconnectOptions options = session.times.reconnect;
  options.give_up_after = session.times.submit_repeat_for;
  ReconnectPolicy policy(options);
  policy.Answered();
  while (true) {
    absl::StatusOr<pb::SubmitResponse> response = coordinator.Submit(request);
    if (response.ok() || !IsLost(response.status())) return response;
    const std::optional<absl::Duration> wait = policy.NextWait(BootNow());
    if (!wait) return response;
    if (session.interrupt.WaitFor(*wait)) return InterruptedError();
  }
}

// The job may or may not be stored: say how to find out without storing it twice.
absl::Status Lost(const absl::Status& status, const std::string& request_id,
                  const std::string& again) {
  const ErrorInfo info = GetErrorInfo(status).value_or(ErrorInfo());
  absl::Status lost(status.code(), absl::StrCat(status.message(), " (submit with request id ",
                                                request_id, " may or may not have been stored)"));
  return WithErrorInfo(lost,
                       {.reason = info.reason,
                        .field = info.field,
                        .hint = info.hint.empty() ? again : absl::StrCat(info.hint, "; ", again)});
}

}  // namespace

pb::SubmitRequest RequestFor(const Session& session, const JobConfig& config) {
  pb::SubmitRequest request;
  request.mutable_spec()->set_config_json(WriteJobJson(config));
  request.mutable_spec()->set_owner(session.environment.user);
  return request;
}

absl::StatusOr<pb::SubmitResponse> SubmitOnce(Session& session, CoordinatorClient& coordinator,
                                              const pb::SubmitRequest& request,
                                              const std::string& again) {
  absl::StatusOr<pb::SubmitResponse> response = Repeat(session, coordinator, request);
  if (response.ok()) return response;
  const bool unsure = IsLost(response.status()) || session.interrupt.raised();
  return unsure ? Lost(response.status(), request.request_id(), again) : response.status();
}

std::string AgainHint(const Session& session, const std::string& request_id) {
  if (session.invocation.Has("request-id")) {
    return "the same line again stores nothing twice";
  }
  std::vector<std::string> words = session.invocation.typed;
  words.insert(words.end(), {"--request-id", request_id});
  return absl::StrCat("to store nothing twice: ", CommandLineOf(words));
}

void PrintWarnings(Session& session, const std::vector<std::string>& warnings) {
  if (session.settings().quiet) return;
  for (const std::string& warning : warnings) {
    session.err << WarningReport(warning, session.settings().json);
  }
}

void PrintSubmitted(Session& session, const pb::SubmitResponse& response) {
  if (session.settings().json) {
    session.out << WireJson(response) << "\n" << std::flush;
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

}  // namespace fpo::ctl
