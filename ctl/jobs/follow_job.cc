#include "ctl/jobs/follow_job.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/error_info.h"
#include "common/wire/enums.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/error_report.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/job_feed.h"
#include "ctl/show/human.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

std::string LostNote(absl::Time since, absl::Time now, const FollowTimes& times) {
  return absl::StrCat("connection lost ", HumanDuration(now - since),
                      " ago, trying again for up to ",
                      HumanDuration(times.reconnect.give_up_after));
}

// Follows one job: passes its feed to the display.
class Following {
 public:
  Following(Session& session, const FollowRequest& request, JobDisplay& display)
      : session_(session), request_(request), display_(display) {}

  absl::StatusOr<ExitCode> Run(JobFeed& feed) {
    while (true) {
      const absl::Time deadline = request_.deadline.value_or(absl::InfiniteFuture());
      const std::optional<JobFeed::Item> item =
          feed.Next(std::min(deadline - BootNow(), display_.NextTick() - absl::Now()));
      const absl::Time now = absl::Now();
      if (!item && BootNow() >= deadline) return TimedOut(now);
      if (!item) {
        display_.Tick(now);
      } else if (item->kind == JobFeed::Item::Kind::kJob) {
        OnJob(item->job, now);
      } else if (item->kind == JobFeed::Item::Kind::kLost) {
        OnLost(now);
      } else {
        return Ended(item->status, now);
      }
    }
  }

 private:
  void OnJob(const pb::Job& job, absl::Time now) {
    lost_since_.reset();
    last_ = job;
    display_.Note("", now);
    display_.Show(job, now);
    if (session_.settings().json && request_.stream_json) PrintJson();
  }

  void OnLost(absl::Time now) {
    if (!lost_since_) lost_since_ = now;
    display_.Note(LostNote(*lost_since_, now, session_.times), now);
  }

  absl::StatusOr<ExitCode> TimedOut(absl::Time now) {
    display_.Finish(now);
    if (session_.settings().json) {
      const std::string& id = request_.job_id;
      session_.err << ErrorJson(WithErrorInfo(
          absl::DeadlineExceededError(absl::StrCat("job ", id, " has not ended at the timeout")),
          {.reason = ErrorReason::kTimeout,
           .hint = absl::StrCat("fpoctl wait ", id),
           .ids = {id}}));
      return ExitCode::kTimeout;
    }
    session_.err << "job " << request_.job_id << " is "
                 << (last_ ? TextOf(last_->state()) : "not answered for")
                 << " at the timeout; continue with: fpoctl wait " << request_.job_id << "\n";
    return ExitCode::kTimeout;
  }

  absl::StatusOr<ExitCode> Ended(const absl::Status& status, absl::Time now) {
    display_.Finish(now);
    if (ReasonOf(status) == ErrorReason::kInterrupted) {
      return Interrupted(session_, "watch", request_.job_id);
    }
    if (!status.ok()) return status;
    const pb::Job& job = *last_;
    if (session_.settings().json) {
      if (!request_.stream_json) PrintJson();
    } else if (session_.settings().quiet) {
      if (job.state() != pb::JOB_STATE_SUCCEEDED) {
        session_.err << "job " << job.job_id() << " " << TextOf(job.state()) << ": "
                     << OneLine(job.reason()) << "; hint: fpoctl describe " << job.job_id() << "\n";
      }
    } else {
      session_.out << RenderSummary(job, session_.style()) << std::flush;
    }
    return ExitCodeOfState(FromProto(job.state()));
  }

  void PrintJson() {
    pb::WatchJobResponse answer;
    *answer.mutable_job() = *last_;
    session_.out << WireJson(answer) << "\n" << std::flush;
  }

  Session& session_;
  const FollowRequest& request_;
  JobDisplay& display_;
  std::optional<pb::Job> last_;
  std::optional<absl::Time> lost_since_;
};

}  // namespace

absl::StatusOr<ExitCode> FollowJob(Session& session, CoordinatorClient& coordinator,
                                   const FollowRequest& request, JobDisplay& display) {
  JobFeed feed(coordinator, {request.job_id, request.answered, session.times.reconnect},
               session.interrupt);
  feed.Start();
  return Following(session, request, display).Run(feed);
}

ExitCode Interrupted(Session& session, const std::string& command, const std::string& job_id) {
  const std::string again = absl::StrCat("fpoctl ", command, " ", job_id);
  if (session.settings().json) {
    session.err << ErrorJson(
        WithErrorInfo(absl::CancelledError(absl::StrCat("interrupted; job ", job_id, " continues")),
                      {.reason = ErrorReason::kInterrupted, .hint = again, .ids = {job_id}}));
  } else {
    session.err << "\njob " << job_id << " continues\n  follow again  " << again
                << "\n  cancel        fpoctl cancel " << job_id << "\n";
  }
  return ExitCode::kInterrupted;
}

}  // namespace fpo::ctl
