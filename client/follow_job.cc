#include "client/follow_job.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/convert.h"
#include "client/exit_code.h"
#include "client/human.h"
#include "client/job_feed.h"
#include "common/error_info.h"

namespace fpo::client {
namespace {

namespace pb = fpo::v1;

std::string LostNote(absl::Time since, absl::Time now, const FollowTimes& times) {
  return absl::StrCat("connection lost ", HumanDuration(now - since),
                      " ago, trying again for up to ",
                      HumanDuration(times.reconnect.give_up_after));
}

// One following of a job: what the feed says goes to the display.
class Following {
 public:
  Following(Session& session, const FollowRequest& request, JobDisplay& display)
      : session_(session), request_(request), display_(display) {}

  absl::StatusOr<ExitCode> Run(JobFeed& feed) {
    while (true) {
      const absl::Time deadline = request_.deadline.value_or(absl::InfiniteFuture());
      const std::optional<JobFeed::Item> item = feed.Next(std::min(deadline, display_.NextTick()));
      const absl::Time now = absl::Now();
      if (!item && now >= deadline) return TimedOut(now);
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
    display_.Show(ViewOf(job), now);
    if (session_.settings().json && request_.stream_json) PrintJson();
  }

  void OnLost(absl::Time now) {
    if (!lost_since_) lost_since_ = now;
    display_.Note(LostNote(*lost_since_, now, session_.times), now);
  }

  absl::StatusOr<ExitCode> TimedOut(absl::Time now) {
    display_.Finish(now);
    session_.err << "job " << request_.job_id << " is "
                 << (last_ ? pb::JobState_Name(last_->state()) : std::string("not answered for"))
                 << " at the timeout; go on with: fpoctl wait " << request_.job_id << "\n";
    return ExitCode::kTimeout;
  }

  absl::StatusOr<ExitCode> Ended(const absl::Status& status, absl::Time now) {
    display_.Finish(now);
    if (ErrorReason(status) == kInterruptedReason) {
      session_.err << InterruptedText("watch", request_.job_id);
      return ExitCode::kInterrupted;
    }
    if (!status.ok()) return status;
    const JobView job = ViewOf(*last_);
    if (session_.settings().json) {
      if (!request_.stream_json) PrintJson();
    } else if (session_.settings().quiet) {
      if (job.state != "SUCCEEDED") {
        session_.err << "job " << job.job_id << " " << job.state << ": " << OneLine(job.reason)
                     << "; hint: fpoctl describe " << job.job_id << "\n";
      }
    } else {
      session_.out << RenderSummary(job, session_.style()) << std::flush;
    }
    return ExitCodeOfState(job.state);
  }

  void PrintJson() {
    pb::WatchJobResponse answer;
    *answer.mutable_job() = *last_;
    session_.out << AnswerJson(answer) << "\n" << std::flush;
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

std::string InterruptedText(const std::string& command, const std::string& job_id) {
  return absl::StrCat("\njob ", job_id, " goes on without you\n  follow again  fpoctl ", command,
                      " ", job_id, "\n  cancel        fpoctl cancel ", job_id, "\n");
}

}  // namespace fpo::client
