#include "worker/core/outbox/outbox.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/observe/log.h"
#include "common/text/utf8.h"
#include "common/train_protocol.h"
#include "common/waits/steady_wait.h"

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
  const auto take = [&](const char* name, Lines* lines) {
    LogSpool::Options spool = options_.spool;
    spool.folder = FolderOf(attempt);
    spool.name = name;
    LineJournal journal({.folder = spool.folder, .name = name});
    LineJournal::Recovered recovered = journal.Recover();
    found += static_cast<int>(recovered.lines.size());
    if (recovered.lost > 0) {
      Log(LogLevel::kWarning, "lines of an earlier agent are lost: its disk did not take them all",
          {{"attempt", AttemptName(attempt)},
           {"kind", name},
           {"lines", absl::StrCat(recovered.lost)}});
    }
    lines->box = std::make_shared<LineBox>(spool, std::move(journal), std::move(recovered));
    lines->state = lines->box->state();
  };
  // Segments of the old spool duplicate the journals.
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(FolderOf(attempt), error)) {
    const bool is_journal = absl::StrContains(entry.path().filename().string(), ".journal-");
    if (!is_journal) std::filesystem::remove(entry.path(), error);
  }
  take("event", &box.events);
  take("log", &box.logs);
  box.closed = box.recovered = true;
  if (found > 0) boxes_[attempt] = std::move(box);
  return found;
}

void Outbox::Open(const AttemptRef& attempt) {
  LogSpool::Options spool = options_.spool;
  spool.folder = FolderOf(attempt);
  absl::MutexLock lock(&mutex_);
  Box& box = boxes_[attempt];
  spool.name = "event";
  box.events.box = std::make_shared<LineBox>(spool);
  spool.name = "log";
  box.logs.box = std::make_shared<LineBox>(spool);
}

void Outbox::AddReport(Report report, bool is_final) {
  report.message = ToValidUtf8(std::move(report.message));
  absl::MutexLock lock(&mutex_);
  Box& box = boxes_[report.attempt];
  PendingReport pending{.report = std::move(report), .is_final = is_final};
  pending.events_end = box.events.state.end_seq;
  pending.logs_end = box.logs.state.end_seq;
  box.reports.push_back(std::move(pending));
}

Outbox::Lines* Outbox::Find(const AttemptRef& attempt, Lines Box::*kind) {
  const auto found = boxes_.find(attempt);
  if (found == boxes_.end() || !found->second.has_lines()) return nullptr;
  return &(found->second.*kind);
}

void Outbox::Add(const AttemptRef& attempt, Lines Box::*kind, Line line) {
  line.text = ToValidUtf8(std::move(line.text));
  std::shared_ptr<LineBox> box;
  {
    absl::MutexLock lock(&mutex_);
    Lines* const lines = Find(attempt, kind);
    if (lines == nullptr) return;
    box = lines->box;
  }
  const LineBox::State state = box->Append(std::move(line));
  absl::MutexLock lock(&mutex_);
  Lines* const lines = Find(attempt, kind);
  // Another thread may have added the next line meanwhile.
  if (lines == nullptr || lines->box != box || state.end_seq < lines->state.end_seq) return;
  lines->state = state;
  Observe();
}

void Outbox::AddEvent(const AttemptRef& attempt, Line line) {
  line.stream.reset();
  Add(attempt, &Box::events, std::move(line));
}

void Outbox::AddLog(const AttemptRef& attempt, Line line) {
  Add(attempt, &Box::logs, std::move(line));
}

void Outbox::Close(const AttemptRef& attempt) {
  {
    absl::MutexLock lock(&mutex_);
    const auto found = boxes_.find(attempt);
    if (found == boxes_.end()) return;
    found->second.closed = untidy_ = true;
  }
  Tidy();
}

void Outbox::StartSession() {
  absl::MutexLock lock(&mutex_);
  next_heartbeat_ = 1;
  for (auto& [attempt, box] : boxes_) {
    for (Lines* lines : {&box.events, &box.logs}) {
      lines->next = std::max(lines->state.first_seq, lines->acked + 1);
    }
    for (PendingReport& pending : box.reports) pending.sent = false;
  }
}

void Outbox::ResendLogs(const AttemptRef& attempt, uint64_t from_seq) {
  absl::MutexLock lock(&mutex_);
  Lines* const lines = Find(attempt, &Box::logs);
  if (lines != nullptr) lines->next = std::min(lines->next, std::max(from_seq, lines->acked + 1));
}

bool Outbox::IsDue(const Box& box, const PendingReport& pending) {
  if (pending.sent) return false;
  return !pending.is_final ||
         (box.events.next >= pending.events_end && box.logs.next >= pending.logs_end);
}

bool Outbox::HasWork() const {
  return std::any_of(boxes_.begin(), boxes_.end(), [](const auto& entry) {
    const Box& box = entry.second;
    return box.events.next < box.events.state.end_seq || box.logs.next < box.logs.state.end_seq ||
           std::any_of(box.reports.begin(), box.reports.end(),
                       [&](const PendingReport& pending) { return IsDue(box, pending); });
  });
}

std::optional<Outgoing> Outbox::Next(absl::Duration patience) {
  const absl::Time deadline = BootNow() + patience;
  const auto has_work = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return untidy_ || HasWork(); };
  {
    absl::MutexLock lock(&mutex_);
    NoteWritten();
  }
  for (;;) {
    Tidy();
    std::optional<Due> due;
    {
      absl::MutexLock lock(&mutex_);
      if (!AwaitFor(&mutex_, absl::Condition(&has_work), deadline - BootNow())) {
        return std::nullopt;
      }
      if (untidy_) continue;
      if (std::optional<Report> report = TakeReport()) return Outgoing(*std::move(report));
      due = FindDue();
    }
    if (due) {
      if (std::optional<Outgoing> batch = Read(*due)) return batch;
    }
  }
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

std::optional<Report> Outbox::TakeReportOf(Box* box) {
  for (PendingReport& pending : box->reports) {
    if (pending.sent) continue;
    if (!IsDue(*box, pending)) return std::nullopt;  // reports of an attempt keep their order
    pending.sent = true;
    pending.confirming_heartbeat = kNotWritten;
    return pending.report;
  }
  return std::nullopt;
}

std::optional<Report> Outbox::TakeReport() {
  for (auto& [attempt, box] : boxes_) {
    if (std::optional<Report> report = TakeReportOf(&box)) return report;
  }
  return std::nullopt;
}

std::optional<Outbox::Due> Outbox::FindDue() const {
  for (const bool events : {true, false}) {
    for (const auto& [attempt, box] : boxes_) {
      const Lines& lines = events ? box.events : box.logs;
      if (lines.next < lines.state.end_seq) return Due{attempt, events, lines.box, lines.next};
    }
  }
  return std::nullopt;
}

std::optional<Outgoing> Outbox::Read(const Due& due) {
  LineBox::State state;
  SpoolRead read = due.box->Read(due.from, options_.batch_bytes_max, &state);
  if (due.events) EncodeGaps(&read.lines);
  absl::MutexLock lock(&mutex_);
  Lines* const lines = Find(due.attempt, due.events ? &Box::events : &Box::logs);
  // Meanwhile lines that were sent before may have been asked for again.
  if (lines == nullptr || lines->box != due.box || lines->next != due.from) return std::nullopt;
  lines->next = read.next_seq;
  if (state.end_seq >= lines->state.end_seq) lines->state = state;
  Observe();
  if (due.events) {
    return Outgoing(EventBatch{{due.attempt, read.first_seq, std::move(read.lines)}});
  }
  return Outgoing(LogBatch{{due.attempt, read.first_seq, std::move(read.lines)}});
}

void Outbox::Acknowledge(const AttemptRef& attempt, uint64_t events_seq, uint64_t logs_seq) {
  absl::MutexLock lock(&mutex_);
  const auto found = boxes_.find(attempt);
  if (found == boxes_.end()) return;
  Box& box = found->second;
  box.events.acked = std::max(box.events.acked, events_seq);
  box.logs.acked = std::max(box.logs.acked, logs_seq);
  untidy_ = true;
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
  untidy_ = true;
}

void Outbox::DropAcknowledged() {
  struct Acked {
    AttemptRef attempt;
    Lines Box::*kind;
    std::shared_ptr<LineBox> box;
    uint64_t seq;
  };
  std::vector<Acked> all;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [attempt, box] : boxes_) {
      for (Lines Box::*kind : {&Box::events, &Box::logs}) {
        const Lines& lines = box.*kind;
        if (lines.box != nullptr && lines.acked >= lines.state.first_seq) {
          all.push_back({attempt, kind, lines.box, lines.acked});
        }
      }
    }
  }
  for (const Acked& each : all) {
    const LineBox::State state = each.box->Acknowledge(each.seq);
    absl::MutexLock lock(&mutex_);
    Lines* const lines = Find(each.attempt, each.kind);
    if (lines == nullptr || lines->box != each.box) continue;
    lines->state.first_seq = std::max(lines->state.first_seq, state.first_seq);
    lines->state.bytes = state.bytes;
    Observe();
  }
}

void Outbox::Tidy() {
  {
    absl::MutexLock lock(&mutex_);
    if (!std::exchange(untidy_, false)) return;
  }
  DropAcknowledged();
  std::vector<std::pair<AttemptRef, Box>> confirmed;
  {
    absl::MutexLock lock(&mutex_);
    for (auto it = boxes_.begin(); it != boxes_.end();) {
      const Box& box = it->second;
      const bool done =
          box.closed && box.reports.empty() && box.events.state.empty() && box.logs.state.empty();
      if (done) confirmed.emplace_back(it->first, std::move(it->second));
      it = done ? boxes_.erase(it) : std::next(it);
    }
    Observe();
  }
  for (const auto& [attempt, box] : confirmed) {
    if (!box.has_lines()) continue;
    box.events.box->RemoveJournal();
    box.logs.box->RemoveJournal();
    std::error_code error;  // a folder that is not empty stays
    std::filesystem::remove(FolderOf(attempt), error);
  }
}

void Outbox::Observe() {
  size_t bytes = 0;
  size_t gap_bytes = 0;
  for (const auto& [attempt, box] : boxes_) {
    for (const Lines* lines : {&box.events, &box.logs}) {
      bytes += lines->state.bytes;
      gap_bytes += lines->state.gap_bytes;
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
    const bool is_refused = !box.has_lines() || box.recovered;
    const bool end_is_known = box.closed && box.reports.empty();
    if (!is_refused && !end_is_known) attempts.push_back(attempt);
  }
  return attempts;
}

bool Outbox::WaitUntilEmpty(absl::Duration patience) {
  const absl::Time deadline = BootNow() + patience;
  const auto moves = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return untidy_ || boxes_.empty(); };
  for (;;) {
    Tidy();
    absl::MutexLock lock(&mutex_);
    if (!AwaitFor(&mutex_, absl::Condition(&moves), deadline - BootNow())) return false;
    if (boxes_.empty()) return true;
  }
}

}  // namespace fpo::worker
