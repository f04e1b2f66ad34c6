#include "worker/agent/core/outbox.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/train_protocol.h"
#include "worker/agent/core/utf8.h"

namespace fpo::agent {
namespace {

// The spool's own words about dropped events must be an event too.
void EncodeGaps(LineBatch* batch) {
  for (Line& line : batch->lines) {
    if (line.stream.empty()) continue;
    TrainEvent event;
    event.kind = "warning";
    event.message = line.text;
    event.time = absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
    line.text = EncodeEvent(event);
  }
}

}  // namespace

void Outbox::Open(const AttemptId& attempt) {
  absl::MutexLock lock(&mutex_);
  Box& box = boxes_[attempt];
  LogSpool::Options spool = options_.spool;
  spool.folder = absl::StrCat(options_.folder, "/", attempt.job_id, "-", AttemptFolder(attempt));
  spool.name = "event";
  box.events = std::make_unique<LogSpool>(spool);
  spool.name = "log";
  box.logs = std::make_unique<LogSpool>(spool);
}

void Outbox::AddReport(Report report, bool is_final) {
  report.message = ToValidUtf8(std::move(report.message));
  absl::MutexLock lock(&mutex_);
  Box& box = boxes_[report.attempt];
  PendingReport pending{.report = std::move(report), .is_final = is_final};
  if (box.events) pending.events_end = box.events->end_seq();
  if (box.logs) pending.logs_end = box.logs->end_seq();
  box.reports.push_back(std::move(pending));
}

void Outbox::AddEvent(const AttemptId& attempt, Line line) {
  absl::MutexLock lock(&mutex_);
  const auto found = boxes_.find(attempt);
  if (found == boxes_.end() || !found->second.events) return;
  line.stream.clear();
  line.text = ToValidUtf8(std::move(line.text));
  found->second.events->Append(std::move(line));
  Observe();
}

void Outbox::AddLog(const AttemptId& attempt, Line line) {
  absl::MutexLock lock(&mutex_);
  const auto found = boxes_.find(attempt);
  if (found == boxes_.end() || !found->second.logs) return;
  line.text = ToValidUtf8(std::move(line.text));
  found->second.logs->Append(std::move(line));
  Observe();
}

void Outbox::Close(const AttemptId& attempt) {
  absl::MutexLock lock(&mutex_);
  const auto found = boxes_.find(attempt);
  if (found != boxes_.end()) found->second.closed = true;
  ForgetConfirmed();
}

void Outbox::StartSession() {
  absl::MutexLock lock(&mutex_);
  next_beat_ = 1;
  for (auto& [attempt, box] : boxes_) {
    if (box.events) box.next_event = box.events->first_seq();
    if (box.logs) box.next_log = box.logs->first_seq();
    for (PendingReport& pending : box.reports) pending.sent = false;
  }
}

bool Outbox::IsDue(const Box& box, const PendingReport& pending) {
  if (pending.sent) return false;
  return !pending.is_final ||
         (box.next_event >= pending.events_end && box.next_log >= pending.logs_end);
}

bool Outbox::HasWork() const {
  return std::any_of(boxes_.begin(), boxes_.end(), [](const auto& entry) {
    const Box& box = entry.second;
    return (box.events && box.next_event < box.events->end_seq()) ||
           (box.logs && box.next_log < box.logs->end_seq()) ||
           std::any_of(box.reports.begin(), box.reports.end(),
                       [&](const PendingReport& pending) { return IsDue(box, pending); });
  });
}

std::optional<Outgoing> Outbox::Next(absl::Time deadline) {
  const auto has_work = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return HasWork(); };
  absl::MutexLock lock(&mutex_);
  NoteWritten();
  if (!mutex_.AwaitWithDeadline(absl::Condition(&has_work), deadline)) return std::nullopt;
  return Take();
}

// The caller comes back only after the message it took is written: beats from now on follow it.
void Outbox::NoteWritten() {
  for (auto& [attempt, box] : boxes_) {
    for (PendingReport& pending : box.reports) {
      if (pending.sent && pending.confirming_beat == kNotWritten) {
        pending.confirming_beat = next_beat_;
      }
    }
  }
}

std::optional<Report> Outbox::TakeReport(Box* box) {
  for (PendingReport& pending : box->reports) {
    if (pending.sent) continue;
    if (!IsDue(*box, pending)) return std::nullopt;  // reports of an attempt keep their order
    pending.sent = true;
    pending.confirming_beat = kNotWritten;
    return pending.report;
  }
  return std::nullopt;
}

std::optional<Outgoing> Outbox::Take() {
  for (auto& [attempt, box] : boxes_) {
    if (std::optional<Report> report = TakeReport(&box)) return Outgoing(*std::move(report));
  }
  for (auto& [attempt, box] : boxes_) {
    if (!box.events || box.next_event >= box.events->end_seq()) continue;
    EventBatch batch{box.events->Read(box.next_event, options_.batch_bytes_max)};
    batch.attempt = attempt;
    box.next_event = batch.next_seq;
    EncodeGaps(&batch);
    return Outgoing(std::move(batch));
  }
  for (auto& [attempt, box] : boxes_) {
    if (!box.logs || box.next_log >= box.logs->end_seq()) continue;
    LogBatch batch{box.logs->Read(box.next_log, options_.batch_bytes_max)};
    batch.attempt = attempt;
    box.next_log = batch.next_seq;
    return Outgoing(std::move(batch));
  }
  return std::nullopt;
}

void Outbox::Acknowledge(const AttemptId& attempt, uint64_t events_seq, uint64_t logs_seq) {
  absl::MutexLock lock(&mutex_);
  const auto found = boxes_.find(attempt);
  if (found == boxes_.end()) return;
  if (found->second.events) found->second.events->Acknowledge(events_seq);
  if (found->second.logs) found->second.logs->Acknowledge(logs_seq);
  ForgetConfirmed();
  Observe();
}

void Outbox::OnBeatSent(uint64_t seq) {
  absl::MutexLock lock(&mutex_);
  next_beat_ = seq + 1;
}

void Outbox::OnBeatAnswered(uint64_t seq) {
  absl::MutexLock lock(&mutex_);
  for (auto& [attempt, box] : boxes_) {
    while (!box.reports.empty() && box.reports.front().sent &&
           seq >= box.reports.front().confirming_beat) {
      box.reports.pop_front();
    }
  }
  ForgetConfirmed();
}

void Outbox::ForgetConfirmed() {
  for (auto it = boxes_.begin(); it != boxes_.end();) {
    const Box& box = it->second;
    const bool confirmed = box.closed && box.reports.empty() &&
                           (!box.events || box.events->empty()) && (!box.logs || box.logs->empty());
    it = confirmed ? boxes_.erase(it) : std::next(it);
  }
}

void Outbox::Observe() {
  size_t bytes = 0;
  size_t gap_bytes = 0;
  for (const auto& [attempt, box] : boxes_) {
    for (const LogSpool* spool : {box.events.get(), box.logs.get()}) {
      if (spool == nullptr) continue;
      bytes += spool->bytes();
      gap_bytes += spool->gap_bytes();
    }
  }
  metrics_->log_spool_bytes.Set(static_cast<double>(bytes));
  // Forgotten attempts take their count with them; the counter itself only grows.
  if (gap_bytes > gap_bytes_counted_) {
    metrics_->log_gap_bytes.Add(static_cast<double>(gap_bytes - gap_bytes_counted_));
  }
  gap_bytes_counted_ = gap_bytes;
}

std::vector<AttemptId> Outbox::Attempts() const {
  absl::MutexLock lock(&mutex_);
  std::vector<AttemptId> attempts;
  for (const auto& [attempt, box] : boxes_) {
    const bool is_refused = box.events == nullptr;
    const bool end_is_known = box.closed && box.reports.empty();
    if (!is_refused && !end_is_known) attempts.push_back(attempt);
  }
  return attempts;
}

bool Outbox::WaitUntilEmpty(absl::Time deadline) {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithDeadline(
      absl::Condition(
          +[](std::map<AttemptId, Box>* boxes) { return boxes->empty(); }, &boxes_),
      deadline);
}

}  // namespace fpo::agent
