#include "tests/chaos/service_chaos.h"

#include <poll.h>
#include <stdlib.h>

#include <iostream>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/job/job_config.h"
#include "common/job/job_file.h"
#include "common/rpc/channel.h"
#include "common/rpc/deadline.h"
#include "common/rpc/security/peer_address.h"

namespace fpo::testing {

namespace pb = fpo::v1;

int ChaosCount(const char* variable, int quick) {
  const char* given = getenv(variable);
  return given == nullptr ? quick : std::atoi(given);
}

ChaosRandom::ChaosRandom() {
  const char* given = getenv("FPO_TEST_SEED");
  const uint64_t seed = given == nullptr ? std::random_device()() : strtoull(given, nullptr, 10);
  std::cout << "FPO_TEST_SEED=" << seed << std::endl;
  engine_.seed(seed);
}

int ChaosRandom::Below(int end) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return static_cast<int>(engine_() % static_cast<uint64_t>(end));
}

absl::Duration ChaosRandom::Between(absl::Duration low, absl::Duration high) {
  return low + (high - low) * (Below(10'000) / 10'000.0);
}

std::string Words(absl::Duration time) {
  return absl::FormatDuration(absl::Trunc(time, absl::Milliseconds(1)));
}

void Pause(absl::Duration time) {
  poll(nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(time)));
}

StubbornUser::StubbornUser(const std::string& addresses) {
  for (const std::string& address : SplitAddresses(addresses)) {
    One one{MakeChannel(address).value(), nullptr};
    one.stub = pb::Coordinator::NewStub(one.channel);
    all_.push_back(std::move(one));
  }
}

template <typename Request, typename Response, typename Method>
void StubbornUser::CallUntilAnswered(Method method, const Request& request, Response* response,
                                     const std::function<absl::Duration()>& deadline) {
  for (;;) {
    grpc::ClientContext context;
    SetDeadline(&context, deadline());
    const grpc::Status status = (all_[current_].stub.get()->*method)(&context, request, response);
    if (status.ok()) return;
    ++lost_answers_;
    // One that stands still answers nothing; of several another one may.
    const bool is_late = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
    if (is_late && all_.size() == 1) continue;
    Pause(absl::Milliseconds(20));
    current_ = (current_ + 1) % all_.size();
    grpc::experimental::ChannelResetConnectionBackoff(all_[current_].channel.get());
  }
}

std::string StubbornUser::Submit(const std::string& request_id, const std::string& config_json,
                                 const std::function<absl::Duration()>& deadline) {
  pb::SubmitRequest request;
  request.set_request_id(request_id);
  request.mutable_spec()->set_config_json(config_json);
  request.mutable_spec()->set_owner("chaos");
  request.set_hold(true);
  pb::SubmitResponse response;
  CallUntilAnswered(&pb::Coordinator::Stub::Submit, request, &response, deadline);
  return response.job_id();
}

std::vector<pb::Job> StubbornUser::AllJobs() {
  std::vector<pb::Job> jobs;
  pb::ListJobsRequest request;
  request.set_page_size(500);
  do {
    pb::ListJobsResponse page;
    CallUntilAnswered(&pb::Coordinator::Stub::ListJobs, request, &page,
                      [] { return absl::Seconds(10); });
    jobs.insert(jobs.end(), page.jobs().begin(), page.jobs().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return jobs;
}

pb::Job StubbornUser::Get(const std::string& job_id) {
  pb::GetJobRequest request;
  request.set_job_id(job_id);
  pb::GetJobResponse response;
  CallUntilAnswered(&pb::Coordinator::Stub::GetJob, request, &response,
                    [] { return absl::Seconds(10); });
  return response.job();
}

std::string ChaosJob(const std::string& name, const std::string& label) {
  JobConfig config;
  config.name = name;
  config.model.path = "/models/none";
  config.reference.source = "none";
  config.method.name = "sft";
  config.data.train = {"/data/none.jsonl"};
  config.output = "/runs/" + name;
  if (!label.empty()) config.resources.require = {label};
  return WriteJobJson(config);
}

std::vector<std::string> CheckHistory(const std::vector<pb::Job>& jobs) {
  std::vector<std::string> wrong;
  std::set<std::string> ids;
  for (const pb::Job& job : jobs) {
    const auto say = [&](const std::string& what) {
      wrong.push_back(absl::StrCat(job.job_id(), ": ", what));
    };
    if (!ids.insert(job.job_id()).second) say("listed twice");
    const bool terminal = job.state() == pb::JOB_STATE_SUCCEEDED ||
                          job.state() == pb::JOB_STATE_FAILED ||
                          job.state() == pb::JOB_STATE_CANCELLED;
    if (terminal != job.has_ended()) say("a terminal state and its time do not agree");
    uint64_t epoch = 0;
    for (int i = 0; i < job.attempts_size(); ++i) {
      const pb::Attempt& attempt = job.attempts(i);
      if (attempt.number() != i + 1) say("attempts are not numbered");
      if (attempt.epoch() <= epoch) say("an epoch did not grow");
      epoch = attempt.epoch();
      const bool over = i + 1 < job.attempts_size() || terminal;
      if (over && attempt.end_class() == pb::END_CLASS_UNSPECIFIED) {
        say(absl::StrCat("attempt ", i + 1, " is over and does not say how"));
      }
      if (attempt.end_class() == pb::END_CLASS_DONE && job.state() != pb::JOB_STATE_SUCCEEDED) {
        say("an attempt has a result, the job has not succeeded");
      }
    }
    if (job.state() == pb::JOB_STATE_SUCCEEDED &&
        (job.attempts().empty() || job.attempts().rbegin()->end_class() != pb::END_CLASS_DONE)) {
      say("succeeded without an attempt that did");
    }
  }
  return wrong;
}

}  // namespace fpo::testing
