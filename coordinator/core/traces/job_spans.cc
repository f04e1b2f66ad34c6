#include "coordinator/core/traces/job_spans.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/hash.h"

namespace fpo::coordinator {
namespace {

constexpr size_t kSpanIdDigits = 16;
// Of one attempt: a run of a million steps has no more spans than one of a hundred.
constexpr int64_t kStepGroups = 64;
constexpr size_t kPointsMax = 500;  // checkpoints and evaluations

std::string SpanIdOf(const std::string& job_id, const std::string& which) {
  return ToHex(Sha256Of(absl::StrCat("span of ", job_id, " ", which))).substr(0, kSpanIdDigits);
}

std::string AttemptKey(int32_t number) { return absl::StrCat("attempt ", number); }

absl::Time TimeOf(const TrainEvent& event) { return absl::UnixEpoch() + absl::Seconds(event.time); }

std::optional<double> MetricOf(const TrainEvent& event, const char* name) {
  const auto found = event.metrics.find(name);
  if (found == event.metrics.end()) return std::nullopt;
  return found->second;
}

absl::Time EndOf(const Job& job) {
  if (job.ended.has_value()) return *job.ended;
  const Attempt* last = job.last_attempt();
  return last != nullptr && last->ended.has_value() ? *last->ended : job.state_since;
}

// Another host's clock may be off; what it says stays within what it belongs to.
void MoveInto(const Span& whole, Span* part) {
  part->start = std::clamp(part->start, whole.start, whole.end);
  part->end = std::clamp(part->end, part->start, whole.end);
}

}  // namespace

std::string AttemptTraceparent(const Job& job) {
  const Attempt* last = job.last_attempt();
  if (job.trace.trace_id.empty() || last == nullptr) return "";
  return Traceparent(
      {job.trace.trace_id, SpanIdOf(job.job_id, AttemptKey(last->number)), job.trace.sampled});
}

struct JobSpans::OfAttempt {
  struct PhaseBegin {
    std::string name;
    absl::Time time;
  };
  std::vector<PhaseBegin> phases;
  std::vector<Span> points;  // without ids: steps, checkpoints, evaluations
  size_t left_out = 0;       // beyond kPointsMax
  std::optional<Span> steps;
  int64_t steps_group = 0;

  void Enter(const std::string& name, absl::Time time) {
    if (name.empty() || (!phases.empty() && phases.back().name == name)) return;
    phases.push_back({name, time});
  }
  void AddPoint(const char* name, const TrainEvent& event, const char* seconds) {
    if (points.size() >= kPointsMax + kStepGroups) {
      ++left_out;
      return;
    }
    Span span;
    span.name = name;
    span.end = TimeOf(event);
    span.start = span.end - absl::Seconds(std::max(MetricOf(event, seconds).value_or(0), 0.0));
    span.attributes["fpo.step"] = event.step;
    for (const char* number : {"loss", "eval_loss", "bytes", "score"}) {
      if (const auto value = MetricOf(event, number)) {
        span.attributes[absl::StrCat("fpo.", number)] = *value;
      }
    }
    points.push_back(std::move(span));
  }
  void AddStep(const TrainEvent& event) {
    Enter("train", TimeOf(event));
    const int64_t size = std::max<int64_t>((event.total + kStepGroups - 1) / kStepGroups, 1);
    const int64_t group = (std::max<int64_t>(event.step, 1) - 1) / size;
    const double seconds = std::max(MetricOf(event, "step_seconds").value_or(0), 0.0);
    if (steps.has_value() && group != steps_group) EndSteps();
    if (!steps.has_value()) {
      steps.emplace();
      steps->name = "steps";
      steps->start = TimeOf(event) - absl::Seconds(seconds);
      steps->attributes["fpo.step.first"] = event.step;
      steps_group = group;
    }
    steps->end = TimeOf(event);
    steps->attributes["fpo.step.last"] = event.step;
    if (const auto loss = MetricOf(event, "loss")) steps->attributes["fpo.loss"] = *loss;
  }
  void EndSteps() {
    if (steps.has_value()) points.push_back(*std::exchange(steps, std::nullopt));
  }
};

JobSpans::JobSpans(const Job& job) : job_(job), end_(EndOf(job)) {
  trace_.trace_id = job.trace.trace_id;
}
JobSpans::~JobSpans() = default;

void JobSpans::Add(int32_t attempt, int32_t rank, const TrainEvent& event) {
  OfAttempt& of = attempts_[attempt];
  if (event.kind == EventKind::kCheckpoint) {  // of any rank
    if (checkpoint_steps_.insert(event.step).second) of.AddPoint("checkpoint", event, "seconds");
    return;
  }
  if (rank > 0) return;
  switch (event.kind) {
    case EventKind::kPhase:
    case EventKind::kProgress:
      return of.Enter(event.phase, TimeOf(event));
    case EventKind::kStep:
      return of.AddStep(event);
    case EventKind::kEvaluation:
      return of.AddPoint("evaluate", event, "eval_seconds");
    default:
      return;
  }
}

Span JobSpans::Make(const std::string& name, const std::string& parent_id,
                    const std::string& which) {
  Span span;
  span.span_id = SpanIdOf(job_.job_id, which);
  span.parent_id = parent_id;
  span.name = name;
  return span;
}

Trace JobSpans::Finish() {
  Span whole = Make("job", job_.trace.span_id, "job");
  whole.start = job_.submitted;
  whole.end = std::max(end_, job_.submitted);
  whole.attributes = {{"fpo.job", job_.job_id},
                      {"fpo.job.name", job_.name},
                      {"fpo.job.state", std::string(Name(job_.state))},
                      {"fpo.job.queue", job_.demand.queue},
                      {"fpo.job.slots", int64_t{job_.demand.slots}},
                      {"fpo.job.attempts", static_cast<int64_t>(job_.attempts.size())}};
  if (!job_.retry_of.empty()) whole.attributes["fpo.job.retry_of"] = job_.retry_of;
  if (!job_.owner.empty()) whole.attributes["fpo.job.owner"] = job_.owner;
  if (!job_.method.empty()) whole.attributes["fpo.job.method"] = job_.method;
  if (job_.kind.has_value()) whole.attributes["fpo.job.kind"] = std::string(Name(*job_.kind));
  if (job_.state == JobState::kFailed) whole.error = job_.reason;
  const std::string id = whole.span_id;
  trace_.spans.push_back(std::move(whole));
  absl::Time queued = job_.submitted;
  for (const Attempt& attempt : job_.attempts) {
    AddAttempt(attempt, queued, id);
    queued = attempt.ended.value_or(end_);
  }
  if (job_.attempts.empty()) {
    Span queue = Make("queue", id, "queue 1");
    queue.start = job_.submitted;
    queue.end = trace_.spans.front().end;
    trace_.spans.push_back(std::move(queue));
  }
  return std::move(trace_);
}

void JobSpans::AddAttempt(const Attempt& attempt, absl::Time queued, const std::string& parent_id) {
  const std::string key = AttemptKey(attempt.number);
  Span queue = Make("queue", parent_id, absl::StrCat("queue ", attempt.number));
  queue.start = std::min(queued, attempt.started);
  queue.end = attempt.started;
  queue.attributes["fpo.attempt"] = int64_t{attempt.number};
  trace_.spans.push_back(std::move(queue));

  Span whole = Make("attempt", parent_id, key);
  whole.start = attempt.started;
  whole.end = std::max(attempt.ended.value_or(end_), attempt.started);
  std::vector<std::string> workers;
  for (const Member& member : attempt.members) workers.push_back(member.worker);
  whole.attributes = {{"fpo.attempt", int64_t{attempt.number}},
                      {"fpo.epoch", static_cast<int64_t>(attempt.epoch)},
                      {"fpo.workers", absl::StrJoin(workers, ",")}};
  if (attempt.end_class.has_value()) {
    whole.attributes["fpo.end_class"] = std::string(Name(*attempt.end_class));
    const bool asked = *attempt.end_class == EndClass::kAsked;
    if (*attempt.end_class != EndClass::kDone && !asked) whole.error = attempt.end_message;
  }

  OfAttempt& of = attempts_[attempt.number];
  of.EndSteps();
  if (of.left_out > 0) {
    whole.attributes["fpo.spans_left_out"] = static_cast<int64_t>(of.left_out);
  }
  std::vector<Span> phases;
  Span assign = Make("assign", whole.span_id, absl::StrCat(key, " assign"));
  assign.start = whole.start;
  assign.end = of.phases.empty() ? whole.end : of.phases.front().time;
  phases.push_back(std::move(assign));
  for (size_t i = 0; i < of.phases.size(); ++i) {
    Span phase = Make(of.phases[i].name, whole.span_id, absl::StrCat(key, " phase ", i));
    phase.start = of.phases[i].time;
    phase.end = i + 1 < of.phases.size() ? of.phases[i + 1].time : whole.end;
    if (phase.name == "reference" && attempt.cache.records_total > 0) {
      phase.attributes = {{"fpo.records", attempt.cache.records_total},
                          {"fpo.records_found", attempt.cache.records_hit},
                          {"fpo.records_computed", attempt.cache.records_computed}};
    }
    phases.push_back(std::move(phase));
  }
  for (Span& phase : phases) MoveInto(whole, &phase);
  for (size_t i = 0; i < of.points.size(); ++i) {
    Span& point = of.points[i];
    // The last phase that had begun when it ended.
    const Span* in = &phases.front();
    for (const Span& phase : phases) {
      if (phase.start <= std::clamp(point.end, whole.start, whole.end)) in = &phase;
    }
    point.span_id = SpanIdOf(job_.job_id, absl::StrCat(key, " ", point.name, " ", i));
    point.parent_id = in->span_id;
    MoveInto(*in, &point);
  }
  trace_.spans.push_back(std::move(whole));
  std::move(phases.begin(), phases.end(), std::back_inserter(trace_.spans));
  std::move(of.points.begin(), of.points.end(), std::back_inserter(trace_.spans));
}

}  // namespace fpo::coordinator
