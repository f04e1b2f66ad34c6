#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/train_protocol.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/traces/span.h"

namespace fpo::coordinator {

// What an attempt's processes are given as TRACEPARENT: they are below its span. Empty: the job is
// in no trace.
std::string AttemptTraceparent(const Job& job);

// Makes the trace of a job that has ended: of the job itself, of each wait in the queue, of each
// attempt, of its phases, and within these of checkpoints, evaluations and groups of steps.
//
//   job > queue, attempt > assign, prepare, reference, train, finish > steps, checkpoint, evaluate
//
// Ids follow from the job's id: who tells a trace twice tells the same one. Phases and what is in
// them have the times of the worker's clock, moved into those of what they are in.
class JobSpans {
 public:
  explicit JobSpans(const Job& job);
  ~JobSpans();

  // Of the job's stored events, in their order; those that are gone are missing in the trace.
  void Add(int32_t attempt, int32_t rank, const TrainEvent& event);
  Trace Finish();  // once

 private:
  struct OfAttempt;

  Span Make(const std::string& name, const std::string& parent_id, const std::string& which);
  void AddAttempt(const Attempt& attempt, absl::Time queued, const std::string& parent_id);

  const Job job_;
  const absl::Time end_;
  std::map<int32_t, OfAttempt> attempts_;  // by number
  std::set<int64_t> checkpoint_steps_;     // a later attempt reports its predecessor's again
  Trace trace_;
};

}  // namespace fpo::coordinator
