#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/error_info.h"
#include "common/status_macros.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/commands/commands.h"
#include "ctl/jobs/follow_job.h"
#include "ctl/jobs/read_logs.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/rpc_status.h"
#include "ctl/rpc/session.h"
#include "ctl/show/human.h"
#include "ctl/show/job_facts.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

absl::Time TimeOf(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

std::string LineText(const pb::LogLine& line, const Session& session) {
  // What a job prints must not control a terminal, also not one behind a pipe (less -R). Its bytes
  // as they are: --json.
  const std::string text =
      session.environment.out_is_terminal ? OneLine(line.text()) : PipedLine(line.text());
  if (session.settings().quiet) return absl::StrCat(text, "\n");
  const std::string rank = line.rank() < 0 ? "agent" : absl::StrCat(line.rank());
  return absl::StrCat(LocalTime(TimeOf(line.time()), session.style().zone), " ", line.attempt(),
                      "/", rank, " ", text, "\n");
}

// Reads log lines from a cursor on, across lost connections; each line is printed once.
class LogReading {
 public:
  LogReading(Session& session, CoordinatorClient& coordinator, pb::LogsRequest request)
      : session_(session), coordinator_(coordinator), request_(std::move(request)) {}

  absl::Status Run() {
    ReconnectPolicy policy(session_.times.reconnect);
    policy.Answered();  // the job was looked up just before
    while (true) {
      absl::Status status = coordinator_.Logs(request_, [&](const pb::LogsResponse& answer) {
        policy.Answered();
        Print(answer);
      });
      if (status.ok()) status = CheckComplete();
      if (status.ok() || !IsLost(status)) return status;
      const std::optional<absl::Duration> wait = policy.NextWait(BootNow());
      if (!wait) return status;
      if (session_.interrupt.WaitFor(*wait)) return InterruptedError();
    }
  }

 private:
  // A followed stream that ends before the job has means that the server is shutting down.
  absl::Status CheckComplete() {
    if (!request_.follow()) return absl::OkStatus();
    FPO_ASSIGN_OR_RETURN(const pb::GetJobResponse found, coordinator_.GetJob(request_.job_id()));
    if (IsTerminal(found.job())) return absl::OkStatus();
    return absl::UnavailableError("the coordinator ended the stream of log lines");
  }

  void Print(const pb::LogsResponse& answer) {
    if (session_.settings().json) {
      session_.out << WireJson(answer) << "\n";
    }
    for (const pb::LogLine& line : answer.lines()) {
      if (!session_.settings().json) session_.out << LineText(line, session_);
      request_.set_after(line.cursor());
      request_.set_tail(0);  // it set the start; from now on the cursor does
    }
    session_.out << std::flush;
  }

  Session& session_;
  CoordinatorClient& coordinator_;
  pb::LogsRequest request_;
};

}  // namespace

absl::StatusOr<ExitCode> ReadLogs(Session& session, CoordinatorClient& coordinator,
                                  const pb::LogsRequest& request) {
  const absl::Status status = LogReading(session, coordinator, request).Run();
  if (ReasonOf(status) == ErrorReason::kInterrupted) {
    return Interrupted(session, "logs -f", request.job_id());
  }
  FPO_RETURN_IF_ERROR(status);
  if (!request.follow()) return ExitCode::kOk;
  // The lines end with the job; wait for the matching state.
  SilentDisplay display;
  Session after{session.invocation, session.environment, session.err,
                session.err,        session.interrupt,   session.times};
  return FollowJob(after, coordinator,
                   {.job_id = request.job_id(), .answered = true, .stream_json = false}, display);
}

namespace {

absl::StatusOr<ExitCode> RunLogs(Session& session) {
  const Invocation& invocation = session.invocation;
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const pb::GetJobResponse found, coordinator.GetJob(invocation.Get("JOB")));
  pb::LogsRequest request;
  request.set_job_id(found.job().job_id());
  request.set_follow(invocation.Has("follow"));
  if (invocation.Has("rank")) {
    request.set_rank(static_cast<int32_t>(invocation.GetCount("rank", 0)));
  }
  if (const auto since = invocation.GetDuration("since")) {
    request.mutable_since()->set_seconds(absl::ToUnixSeconds(absl::Now() - *since));
  }
  request.set_attempt(static_cast<int32_t>(invocation.GetCount("attempt", 0)));
  request.set_tail(static_cast<int32_t>(invocation.GetCount("tail", 0)));
  return ReadLogs(session, coordinator, request);
}

}  // namespace

CommandSpec LogsCommand() {
  CommandSpec c{"logs", "look", "print a job's log lines"};
  c.details =
      "Each line is: time, attempt/rank, text; with -q the text alone. Lines arrive once and in "
      "order, also over lost connections. With -f the exit code is the job's.";
  c.arguments = {JobArgument()};
  c.options = {{"follow", "f", ValueKind::kFlag, "", "wait for more until the job has ended"},
               Within({"attempt", "", ValueKind::kCount, "N", "only this attempt"}, 1),
               {"rank", "", ValueKind::kCount, "N", "only this rank"},
               {"since", "", ValueKind::kDuration, "DURATION", "only lines of the last e.g. 10m"},
               Within({"tail", "", ValueKind::kCount, "N", "start with the last N lines"}, 1)};
  c.examples = {{"fpoctl logs j-4f2a --tail 50", "the last 50 lines"},
                {"fpoctl logs -f tiny-fpo", "follow to the end"}};
  c.json = {"LogsResponse"};
  c.run = RunLogs;
  return c;
}

}  // namespace fpo::ctl
