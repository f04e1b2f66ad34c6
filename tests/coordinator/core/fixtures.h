#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/job/job_config.h"
#include "common/job/job_file.h"
#include "common/train_protocol.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/jobs/job_state_machine.h"
#include "coordinator/core/scheduling/slot_offer.h"
#include "coordinator/core/workers/worker_link.h"
#include "coordinator/core/workers/worker_registry.h"

namespace fpo::coordinator {

inline const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

class FakeClock final : public SteadyClock {
 public:
  explicit FakeClock(absl::Time now) : now_(now) {}
  absl::Time Now() const override { return now_; }
  void Advance(absl::Duration by) { now_ += by; }

 private:
  absl::Time now_;
};

// Keeps what the core sent to an agent.
class FakeLink final : public WorkerLink {
 public:
  void Send(const WorkerCommand& command) override { sent_.push_back(command); }
  void Close(const absl::Status& why) override { closed_ = why; }

  template <typename Command>
  std::vector<Command> All() const {
    std::vector<Command> commands;
    for (const WorkerCommand& command : sent_) {
      if (const Command* c = std::get_if<Command>(&command)) commands.push_back(*c);
    }
    return commands;
  }
  const std::vector<WorkerCommand>& sent() const { return sent_; }
  const absl::Status& closed() const { return closed_; }
  void Clear() { sent_.clear(); }

 private:
  std::vector<WorkerCommand> sent_;
  absl::Status closed_;
};

inline Job MakeJob(const std::string& id, int32_t slots = 1, int64_t priority = 500,
                   absl::Duration age = absl::ZeroDuration()) {
  Job job;
  job.job_id = id;
  job.name = "job-" + id;
  job.owner = "ada";
  job.config_json = "{}";
  job.demand.slots = slots;
  job.demand.priority = priority;
  job.submitted = job.state_since = kStart - age;
  return job;
}

inline Member MemberOn(const std::string& worker, int32_t slots = 1, int32_t first_rank = 0) {
  Member member;
  member.worker = worker;
  member.instance = "i-" + worker;
  member.slots = slots;
  member.first_rank = first_rank;
  return member;
}

inline SlotOffer Offer(const std::string& worker, int32_t slots, int32_t free,
                       DeviceKind device = DeviceKind::kCpu) {
  return {worker, "i-" + worker, device, slots, free, true};
}

inline MemberReport ReportOf(const Job& job, const std::string& worker, ReportStatus status,
                             std::optional<EndClass> end_class = {},
                             const std::string& message = "") {
  return {{LastAttemptRef(job), status, end_class, message}, worker};
}

// The job after events that must all be legal.
inline Job After(Job job, const std::vector<JobEvent>& events, absl::Time now = kStart) {
  for (const JobEvent& event : events) job = Apply(job, event, now).value();
  return job;
}

// A job whose first attempt runs on these workers.
inline Job RunningJob(const std::string& id, const std::vector<std::string>& workers = {"w1"}) {
  Reserve reserve;
  for (const std::string& worker : workers) reserve.members.push_back(MemberOn(worker));
  Job job = After(MakeJob(id, static_cast<int32_t>(workers.size())), {reserve});
  for (const std::string& worker : workers) {
    job = After(job, {ReportOf(job, worker, ReportStatus::kAccepted)});
  }
  for (const std::string& worker : workers) {
    job = After(job, {ReportOf(job, worker, ReportStatus::kRunning)});
  }
  return job;
}

inline WorkerHello HelloOf(const std::string& worker, int32_t slots = 1,
                           std::vector<AttemptRef> running = {}) {
  WorkerHello hello;
  hello.worker_id = worker;
  hello.instance_id = "i-" + worker;
  hello.host = "host-" + worker;
  hello.version = "0.1.0";
  hello.slots = slots;
  hello.device = DeviceKind::kCpu;
  hello.running = std::move(running);
  return hello;
}

inline TrainEvent EventOf(EventKind kind) {
  TrainEvent event;
  event.kind = kind;
  event.seq = 1;
  event.time = 1;
  return event;
}

inline std::string PhaseLine(const std::string& phase) {
  TrainEvent event = EventOf(EventKind::kPhase);
  event.phase = phase;
  return EncodeEvent(event);
}

inline std::string CheckpointLine(int64_t step) {
  TrainEvent event = EventOf(EventKind::kCheckpoint);
  event.step = step;
  event.file = "checkpoints/step";
  return EncodeEvent(event);
}

inline std::string StepLine(int64_t step, int64_t total, double loss) {
  TrainEvent event = EventOf(EventKind::kStep);
  event.step = step;
  event.total = total;
  event.metrics["loss"] = loss;
  return EncodeEvent(event);
}

// A valid job as the client sends it.
inline std::string ConfigJson(const std::string& name, int64_t slots = 1, int64_t priority = 500) {
  JobConfig config;
  config.name = name;
  config.model.path = "/models/tiny";
  config.reference.source = "none";
  config.method.name = "sft";
  config.data.train = {"/data/train.jsonl"};
  config.output = "/runs/" + name;
  config.resources.slots = slots;
  config.resources.priority = priority;
  return WriteJobJson(config);
}

}  // namespace fpo::coordinator
