#include "worker/core/outbox/outbox.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/text/utf8.h"
#include "common/train_protocol.h"

namespace fpo::worker {
namespace {

// The spool's notice of dropped events must be an event too.
void EncodeGaps(std::vector<Line>* lines) {
  for (Line& line : *lines) {
    if (!line.stream) continue;
    TrainEvent event = WarningEvent(line.text);
    event.time = absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
    line.text = EncodeEvent(event);
  }
}

// Parses the name of a spool's folder, "job-a1-e1"; nullopt for other names.
std::optional<AttemptRef> AttemptOf(const std::string& folder) {
  const size_t epoch_at = folder.rfind("-e");
  const size_t attempt_at = folder.rfind("-a", epoch_at);
  AttemptRef id;
  if (epoch_at == std::string::npos || attempt_at == std::string::npos || attempt_at == 0 ||
      !absl::SimpleAtoi(folder.substr(attempt_at + 2, epoch_at - attempt_at - 2), &id.attempt) ||
      !absl::SimpleAtoi(folder.substr(epoch_at + 2), &id.epoch)) {
    return std::nullopt;
  }
  id.job_id = folder.substr(0, attempt_at);
  return id;
}

}  // namespace

std::string Outbox::FolderOf(const AttemptRef& attempt) const {
  return absl::StrCat(options_.folder, "/", attempt.job_id, "-", AttemptFolder(attempt));
}

int Outbox::Recover() {
  absl::MutexLock lock(&mutex_);
  int lines = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(options_.folder, error)) {
    const auto attempt = AttemptOf(entry.path().filename().string());
    const int found = attempt ? RecoverBox(*attempt) : 0;
    if (found == 0) std::filesystem::remove_all(entry.path(), error);
    lines += found;
  }
  Observe();
  return lines;
}

int Outbox::RecoverBox(const AttemptRef& attempt) {
  Box box;
  int found = 0;
  const auto take = [&](const char* name, std::unique_ptr<LineJournal>* journal) {
    *journal = std::make_unique<LineJournal>(
        LineJournal::Options{.folder = FolderOf(attempt), .name = name});
    LineJournal::Recovered recovered = (*journal)->Recover();
    LogSpool::Options spool = options_.spool;
    spool.folder = FolderOf(attempt);
    spool.name = name;
    spool.first_seq = recovered.first_seq;
    auto lines = std::make_unique<LogSpool>(spool);
    for (Line& line : recovered.lines) lines->Append(std::move(line));
    found += static_cast<int>(recovered.lines.size());
    return lines;
  };
  // Segments of the old spool duplicate the journals.
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(FolderOf(attempt), error)) {
    const bool is_journal = absl::StrContains(entry.path().filename().string(), ".journal-");
    if (!is_journal) std::filesystem::remove(entry.path(), error);
  }
  box.events = take("event", &box.event_journal);
  box.logs = take("log", &box.log_journal);
  box.closed = box.recovered = true;
  if (found > 0) boxes_[attempt] = std::move(box);
  return found;
}

void Outbox::Open(const AttemptRef& attempt) {
  absl::MutexLock lock(&mutex_);
  Box& box = boxes_[attempt];
  LogSpool::Options spool = options_.spool;
  spool.folder = FolderOf(attempt);
  spool.name = "event";
  box.events = std::make_unique<LogSpool>(spool);
  spool.name = "log";
  box.logs = std::make_unique<LogSpool>(spool);
  box.event_journal =
      std::make_unique<LineJournal>(LineJournal::Options{.folder = spool.folder, .name = "event"});
  box.log_journal =
      std::make_unique<LineJournal>(LineJournal::Options{.folder = spool.folder, .name = "log"});
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

void Outbox::AddEvent(const AttemptRef& attempt, Line line) {
  absl::MutexLock lock(&mutex_);
  const auto found = boxes_.find(attempt);
  if (found == boxes_.end() || !found->second.events) return;
  line.stream.reset();
  line.text = ToValidUtf8(std::move(line.text));
  found->second.event_journal->Append(found->second.events->end_seq(), line);
  found->second.events->Append(std::move(line));
  Observe();
}

void Outbox::AddLog(const AttemptRef& attempt, Line line) {
  absl::MutexLock lock(&mutex_);
  const auto found = boxes_.find(attempt);
  if (found == boxes_.end() || !found->second.logs) return;
  line.text = ToValidUtf8(std::move(line.text));
  found->second.log_journal->Append(found->second.logs->end_seq(), line);
  found->second.logs->Append(std::move(line));
  Observe();
}

void Outbox::Close(const AttemptRef& attempt) {
  absl::MutexLock lock(&mutex_);
  const auto found = boxes_.find(attempt);
  if (found != boxes_.end()) found->second.closed = true;
  ForgetConfirmed();
}

void Outbox::StartSession() {
  absl::MutexLock lock(&mutex_);
  next_heartbeat_ = 1;
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

// The caller returns only after writing the message it took: later heartbeats follow it.
void Outbox::NoteWritten() {
  for (auto& [attempt, box] : boxes_) {
    for (PendingReport& pending : box.reports) {
      if (pending.sent && pending.confirming_heartbeat == kNotWritten) {
        pending.confirming_heartbeat = next_heartbeat_;
      }
    }
  }
}

std::optional<Report> Outbox::TakeReport(Box* box) {
  for (PendingReport& pending : box->reports) {
    if (pending.sent) continue;
    if (!IsDue(*box, pending)) return std::nullopt;  // reports of an attempt keep their order
    pending.sent = true;
    pending.confirming_heartbeat = kNotWritten;
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
    SpoolRead read = box.events->Read(box.next_event, options_.batch_bytes_max);
    box.next_event = read.next_seq;
    EncodeGaps(&read.lines);
    return Outgoing(EventBatch{{attempt, read.first_seq, std::move(read.lines)}});
  }
  for (auto& [attempt, box] : boxes_) {
    if (!box.logs || box.next_log >= box.logs->end_seq()) continue;
    SpoolRead read = box.logs->Read(box.next_log, options_.batch_bytes_max);
    box.next_log = read.next_seq;
    return Outgoing(LogBatch{{attempt, read.first_seq, std::move(read.lines)}});
  }
  return std::nullopt;
}

void Outbox::Acknowledge(const AttemptRef& attempt, uint64_t events_seq, uint64_t logs_seq) {
  absl::MutexLock lock(&mutex_);
  const auto found = boxes_.find(attempt);
  if (found == boxes_.end()) return;
  Box& box = found->second;
  if (box.events) box.events->Acknowledge(events_seq);
  if (box.logs) box.logs->Acknowledge(logs_seq);
  if (box.event_journal) box.event_journal->Acknowledge(events_seq);
  if (box.log_journal) box.log_journal->Acknowledge(logs_seq);
  ForgetConfirmed();
  Observe();
}

void Outbox::OnHeartbeatSent(uint64_t seq) {
  absl::MutexLock lock(&mutex_);
  next_heartbeat_ = seq + 1;
}

void Outbox::OnHeartbeatAnswered(uint64_t seq) {
  absl::MutexLock lock(&mutex_);
  for (auto& [attempt, box] : boxes_) {
    while (!box.reports.empty() && box.reports.front().sent &&
           seq >= box.reports.front().confirming_heartbeat) {
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
    if (!confirmed) {
      ++it;
      continue;
    }
    if (box.event_journal) box.event_journal->Remove();
    if (box.log_journal) box.log_journal->Remove();
    std::error_code error;  // a folder that is not empty stays
    if (box.log_journal) std::filesystem::remove(FolderOf(it->first), error);
    it = boxes_.erase(it);
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
  // Forgotten attempts take their count with them, but the counter must only grow.
  if (gap_bytes > gap_bytes_counted_) {
    metrics_->log_gap_bytes.Add(static_cast<double>(gap_bytes - gap_bytes_counted_));
  }
  gap_bytes_counted_ = gap_bytes;
}

std::vector<AttemptRef> Outbox::Attempts() const {
  absl::MutexLock lock(&mutex_);
  std::vector<AttemptRef> attempts;
  for (const auto& [attempt, box] : boxes_) {
    const bool is_refused = box.events == nullptr || box.recovered;
    const bool end_is_known = box.closed && box.reports.empty();
    if (!is_refused && !end_is_known) attempts.push_back(attempt);
  }
  return attempts;
}

bool Outbox::WaitUntilEmpty(absl::Time deadline) {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithDeadline(
      absl::Condition(
          +[](std::map<AttemptRef, Box>* boxes) { return boxes->empty(); }, &boxes_),
      deadline);
}

}  // namespace fpo::worker
