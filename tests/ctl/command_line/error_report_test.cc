#include "ctl/command_line/error_report.h"

#include "common/error_info.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/rpc/rpc_status.h"
#include "gtest/gtest.h"
#include "tests/ctl/hint_check.h"

namespace fpo::ctl {
namespace {

TEST(ErrorReportTest, OneLineWithHint) {
  const absl::Status error = WithErrorInfo(
      absl::NotFoundError("there is no job 'j-9'"),
      {.reason = ErrorReason::kJobNotFound, .field = "job_id", .hint = "fpoctl list"});
  EXPECT_EQ(ErrorText(error), "error: there is no job 'j-9'; hint: fpoctl list\n");
  EXPECT_EQ(ErrorJson(error),
            "{\"code\":\"NOT_FOUND\",\"reason\":\"JOB_NOT_FOUND\",\"message\":\"there is no job "
            "'j-9'\",\"field\":\"job_id\",\"hint\":\"fpoctl list\"}\n");
}

TEST(ErrorReportTest, ForeignTextStaysOneLine) {
  EXPECT_EQ(ErrorText(absl::ResourceExhaustedError("a\nb\x1b[0m")),
            "error: a b [0m; hint: try again later; what runs: fpoctl queue\n");
  EXPECT_EQ(ErrorJson(absl::InternalError("\xFF")).find('\n'),
            ErrorJson(absl::InternalError("\xFF")).size() - 1);
}

TEST(ErrorReportTest, JobProblemsStandOnTheirLines) {
  const absl::Status error = WithErrorInfo(
      absl::InvalidArgumentError("job.yaml:2: optimizer.lr: wrong\njob.yaml:9: x: unknown"),
      {.reason = ErrorReason::kInvalidJob, .hint = "see fpoctl schema"});
  EXPECT_EQ(ErrorText(error),
            "job.yaml:2: optimizer.lr: wrong\njob.yaml:9: x: unknown\n"
            "error: the job is not valid: 2 problems; hint: see fpoctl schema\n");
}

TEST(ExitCodeTest, FollowsTheTable) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), ExitCode::kOk);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), ExitCode::kInternal);
  EXPECT_EQ(ExitCodeOf(absl::UnimplementedError("")), ExitCode::kInternal);
  EXPECT_EQ(ExitCodeOf(UsageError("", "")), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), ExitCode::kInvalid);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), ExitCode::kNotFound);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), ExitCode::kUnreachable);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("")), ExitCode::kUnreachable);
  EXPECT_EQ(ExitCodeOf(absl::PermissionDeniedError("")), ExitCode::kDenied);
  EXPECT_EQ(ExitCodeOf(absl::UnauthenticatedError("")), ExitCode::kDenied);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("")), ExitCode::kConflict);
  EXPECT_EQ(ExitCodeOf(absl::AlreadyExistsError("")), ExitCode::kConflict);
  EXPECT_EQ(ExitCodeOf(absl::AbortedError("")), ExitCode::kConflict);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("")), ExitCode::kQuota);
  EXPECT_EQ(ExitCodeOfState(JobState::kSucceeded), ExitCode::kOk);
  EXPECT_EQ(ExitCodeOfState(JobState::kFailed), ExitCode::kJobFailed);
  EXPECT_EQ(ExitCodeOfState(JobState::kCancelled), ExitCode::kJobCancelled);
  EXPECT_EQ(ExitCodeOfState(JobState::kRunning), ExitCode::kInternal);
}

TEST(RpcStatusTest, UnreachableNamesTheAddressAndTheWayOut) {
  const CallSite site{"coordinator", "127.0.0.1:1", "--server or FPO_SERVER", "fpo-coordinator"};
  const absl::Status error = CallError(
      {grpc::StatusCode::UNAVAILABLE,
       "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: refused"},
      site);
  EXPECT_EQ(ErrorText(error),
            "error: the coordinator at 127.0.0.1:1 cannot be reached: refused; hint: start "
            "fpo-coordinator or name its address with --server or FPO_SERVER\n");
  EXPECT_TRUE(IsLost(error));
  EXPECT_TRUE(
      IsLost(WithErrorInfo(absl::ResourceExhaustedError("full"), {.reason = ErrorReason::kBusy})));
  EXPECT_FALSE(IsLost(absl::ResourceExhaustedError("quota")));
  const std::pair<const char*, const char*> troubles[] = {
      {"DNS resolution failed for h:1: C-ares status is not ARES_SUCCESS",
       "the host name is unknown"},
      {"failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Ssl handshake "
       "failed: SSL_ERROR_SSL: error:0A00010B:SSL routines::wrong version number",
       "it does not use TLS"},
      {"failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: "
       "error:0A000086:SSL routines::certificate verify failed",
       "its certificate is not from the CA"},
      {"failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed parsing "
       "HTTP/2",
       "is not a gRPC service"},
      {"Socket closed", "it closed the connection; hint: when it runs with TLS"},
  };
  for (const auto& [said, means] : troubles) {
    const std::string text = ErrorText(CallError({grpc::StatusCode::UNAVAILABLE, said}, site));
    EXPECT_NE(text.find(means), std::string::npos) << text;
    ExpectUsefulHints(text, {"list"});
  }
  CallSite interrupted = site;
  interrupted.interrupted = true;
  const absl::Status stopped = CallError({grpc::StatusCode::CANCELLED, ""}, interrupted);
  EXPECT_EQ(ExitCodeOf(stopped), ExitCode::kInterrupted);
  EXPECT_FALSE(IsLost(stopped));
}

}  // namespace
}  // namespace fpo::ctl
