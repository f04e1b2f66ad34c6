#include "tests/chaos/history_witness.h"

#include <algorithm>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "tests/chaos/service_chaos.h"

namespace fpo::testing {

namespace pb = fpo::v1;

HistoryWitness::HistoryWitness(const std::string& address)
    : thread_([this, address] { Run(address); }) {}

HistoryWitness::~HistoryWitness() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

std::vector<std::string> HistoryWitness::Stop() {
  stop_ = true;
  thread_.join();
  std::cout << "the witness looked " << looks_ << " times at " << seen_.size() << " jobs, "
            << wrong_.size() << " times something went back" << std::endl;
  return wrong_;
}

void HistoryWitness::Run(const std::string& address) {
  StubbornUser user(address);
  while (!stop_) {
    for (const pb::Job& job : user.AllJobs()) Look(job);
    ++looks_;
    Pause(absl::Milliseconds(50));
  }
}

void HistoryWitness::Look(const pb::Job& job) {
  pb::Job& before = seen_[job.job_id()];
  const auto say = [&](const std::string& what) {
    wrong_.push_back(absl::StrCat(job.job_id(), ": ", what));
  };
  const bool had_ended = before.has_ended();
  if (had_ended && job.state() != before.state()) say("left a terminal state");
  if (job.restarts_used() < before.restarts_used()) say("its restarts went back");
  if (job.attempts_size() < before.attempts_size()) say("it forgot an attempt");
  for (int i = 0; i < std::min(job.attempts_size(), before.attempts_size()); ++i) {
    const pb::Attempt& was = before.attempts(i);
    if (was.epoch() != job.attempts(i).epoch()) say("an attempt changed its epoch");
    if (was.end_class() != pb::END_CLASS_UNSPECIFIED &&
        was.end_class() != job.attempts(i).end_class()) {
      say("an attempt's end was rewritten");
    }
  }
  before = job;
}

}  // namespace fpo::testing
