#include "coordinator/core/lines/progress_tracker.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "common/text/utf8.h"
#include "coordinator/core/jobs/checkpoint_registry.h"
#include "coordinator/core/jobs/restart_rules.h"

namespace fpo::coordinator {
namespace {

constexpr size_t kActivityBytesMax = 500;

void NoteProgress(Job* job) {
  job->attempts.back().progressed = true;
  job->attempts_without_progress = 0;
  job->requeues = 0;
  for (const Member& member : job->attempts.back().members) ClearHostFaults(member.worker, job);
}

// A name that is not a phase changes nothing.
void EnterPhase(const std::string& name, Job* job) {
  const std::optional<Phase> phase = FromName<Phase>(name);
  if (!phase) return;
  Progress& progress = job->progress;
  if (progress.phase != phase) {
    progress.phase = phase;
    progress.done = progress.total = 0;
    progress.unit.clear();
    progress.activity.clear();
  }
  if (*phase > job->phase_reached) {
    job->phase_reached = *phase;
    NoteProgress(job);
  }
}

void TrackProgress(const TrainEvent& event, Job* job) {
  EnterPhase(event.phase, job);
  Progress& progress = job->progress;
  // Without numbers it only says what is being done.
  if (event.total > 0 || event.done > 0 || !event.unit.empty()) {
    progress.done = event.done;
    progress.total = event.total;
    progress.unit = event.unit;
  }
  // The trainer composes it of fixed words, counts and a folder's name.
  progress.activity = ShortText(event.activity, kActivityBytesMax);
  const bool counts_records = event.unit.empty() || event.unit == "responses";
  if (progress.phase == Phase::kReference && counts_records &&
      event.done > job->reference_records) {
    job->reference_records = event.done;
    NoteProgress(job);
  }
}

// The run stands after this step.
void StandAt(const TrainEvent& event, Job* job) {
  Progress& progress = job->progress;
  progress.step = event.step;
  if (event.total > 0) progress.total_steps = event.total;
  if (progress.phase == Phase::kTrain) {
    progress.done = event.step;
    progress.total = progress.total_steps;
    progress.unit = "steps";
  }
}

// A checkpoint, evaluation or result of a step shows that it was made, even if its own event was
// lost with its attempt: a run that resumes after its last step reports no other. It never leads
// back, because a checkpoint may be reported after later steps; that a run returned to an earlier
// step is told by the next step it makes.
void StandAtLeastAt(const TrainEvent& event, Job* job) {
  if (event.step > job->progress.step) StandAt(event, job);
}

void TrackMetrics(const TrainEvent& event, Job* job) {
  for (const auto& [name, value] : event.metrics) job->progress.metrics[name] = value;
}

void TrackCheckpoint(const TrainEvent& event, absl::Time now, Job* job) {
  const Attempt& attempt = job->attempts.back();
  Checkpoint checkpoint;
  checkpoint.step = event.step;
  checkpoint.attempt = attempt.number;
  checkpoint.epoch = attempt.epoch;
  checkpoint.folder = event.file;
  checkpoint.digest = event.digest;
  const auto bytes = event.metrics.find("bytes");
  if (bytes != event.metrics.end()) checkpoint.bytes = static_cast<int64_t>(bytes->second);
  const auto score = event.metrics.find("score");
  if (score != event.metrics.end()) checkpoint.score = score->second;
  checkpoint.accepted = now;
  const bool newer = event.step > HighestCheckpoint(*job);
  AcceptCheckpoint(checkpoint, job);
  if (newer) NoteProgress(job);
}

}  // namespace

TrainEvent EventIn(absl::string_view line) {
  absl::StatusOr<TrainEvent> event = ParseEvent(line);
  return event.ok() ? *std::move(event) : TrainEvent{};
}

bool ConcernsJob(const TrainEvent& event, int32_t rank) {
  const bool leads = rank <= 0;  // the agent's own events carry rank 0 or -1
  switch (event.kind) {
    case EventKind::kCheckpoint:
    case EventKind::kCheckpointBad:
    case EventKind::kError:
      return true;
    case EventKind::kPhase:
    case EventKind::kProgress:
    case EventKind::kStep:
    case EventKind::kEvaluation:
    case EventKind::kResult:
      return leads;
    default:
      return false;
  }
}

void TrackEvent(const TrainEvent& event, absl::Time now, Job* job) {
  if (event.kind == EventKind::kCheckpoint) {
    StandAtLeastAt(event, job);
    TrackCheckpoint(event, now, job);
  } else if (event.kind == EventKind::kCheckpointBad) {
    RejectCheckpoint({event.step, job->attempts.back().number, ShortText(event.message), now}, job);
  } else if (event.kind == EventKind::kError) {
    job->attempts.back().last_error = ShortText(event.message);
  } else if (event.kind == EventKind::kPhase) {
    EnterPhase(event.phase, job);
  } else if (event.kind == EventKind::kProgress) {
    TrackProgress(event, job);
  } else if (event.kind == EventKind::kStep) {
    StandAt(event, job);
    TrackMetrics(event, job);
  } else if (event.kind == EventKind::kEvaluation) {
    StandAtLeastAt(event, job);
    TrackMetrics(event, job);
  } else if (event.kind == EventKind::kResult) {
    StandAtLeastAt(event, job);
    job->result = event.metrics;
    job->result_texts = event.texts;
    for (auto& [name, text] : job->result_texts) text = ShortText(std::move(text));
  }
  // The activity ended with this step, evaluation, checkpoint or phase.
  if (event.kind != EventKind::kProgress) job->progress.activity.clear();
  job->progress.updated = now;
}

bool ShowsWork(const TrainEvent& event) {
  return event.kind == EventKind::kPhase || event.kind == EventKind::kProgress ||
         event.kind == EventKind::kStep;
}

}  // namespace fpo::coordinator
