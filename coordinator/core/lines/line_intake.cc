#include "coordinator/core/lines/line_intake.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/log.h"
#include "common/status_macros.h"

namespace fpo::coordinator {
namespace {

constexpr size_t kRememberedMax = 4096;
constexpr uint64_t kEventsKept = 100'000;  // newest ones of a job
constexpr uint64_t kEventsDropped = 1000;  // at a time

// Index of the first item that is not stored yet.
size_t FirstFresh(const LineBatch& batch, uint64_t next_seq) {
  if (batch.first_seq >= next_seq) return 0;
  return std::min<uint64_t>(next_seq - batch.first_seq, batch.lines.size());
}

}  // namespace

absl::StatusOr<SenderPosition> LineIntake::PositionOf(const Sender& sender) {
  const auto it = positions_.find(sender);
  if (it != positions_.end()) return it->second;
  return store_->PositionOf(sender);
}

absl::StatusOr<LineIntake::Cursors> LineIntake::CursorsOf(const std::string& job_id) {
  const auto it = cursors_.find(job_id);
  if (it != cursors_.end()) return it->second;
  Cursors cursors;
  FPO_ASSIGN_OR_RETURN(cursors.event, store_->LastEventCursor(job_id));
  FPO_ASSIGN_OR_RETURN(cursors.log, store_->LastLogCursor(job_id));
  return cursors;
}

absl::Status LineIntake::Store(const LineWrite& write, const Cursors& cursors) {
  FPO_RETURN_IF_ERROR(store_->PutLines(write));
  jobs_->NoteLines(write);
  if (positions_.size() > kRememberedMax) positions_.clear();
  if (cursors_.size() > kRememberedMax) cursors_.clear();
  positions_[write.sender] = write.position;
  cursors_[write.sender.ref.job_id] = cursors;
  WillAck(write.sender, write.position);
  return absl::OkStatus();
}

void LineIntake::WillAck(const Sender& sender, const SenderPosition& position) {
  SenderPosition& waiting = unacknowledged_[sender];
  waiting.next_event_seq = std::max(waiting.next_event_seq, position.next_event_seq);
  waiting.next_log_seq = std::max(waiting.next_log_seq, position.next_log_seq);
}

bool LineIntake::Admit(const Sender& sender, const SenderPosition& end) {
  const JobPtr job = jobs_->Get(sender.ref.job_id);
  if (job && WasMember(*job, sender.ref, sender.worker)) return true;
  WillAck(sender, end);
  ++counts_.strangers;
  if (strangers_.size() > kRememberedMax) strangers_.clear();
  if (strangers_.insert(sender).second) {
    Log(LogLevel::kWarning, "lines are dropped: their sender has no such attempt of the job",
        {{"job", sender.ref.job_id},
         {"attempt", absl::StrCat(sender.ref.attempt)},
         {"epoch", absl::StrCat(sender.ref.epoch)},
         {"worker", sender.worker},
         {"job_known", job ? "yes" : "no"}});
  }
  return false;
}

absl::Status LineIntake::AddEvents(const std::string& worker, const ParsedBatch& parsed,
                                   absl::Time now) {
  const EventBatch& batch = parsed.batch;
  LineWrite write;
  write.sender = {batch.attempt, worker};
  if (!Admit(write.sender, {.next_event_seq = batch.end_seq()})) return absl::OkStatus();
  const JobPtr job = jobs_->Get(batch.attempt.job_id);
  FPO_ASSIGN_OR_RETURN(write.position, PositionOf(write.sender));
  FPO_ASSIGN_OR_RETURN(Cursors cursors, CursorsOf(batch.attempt.job_id));
  const bool counts = IsCurrent(*job, batch.attempt);
  std::optional<Job> changed;
  for (size_t i = FirstFresh(batch, write.position.next_event_seq); i < batch.lines.size(); ++i) {
    const Line& line = batch.lines[i];
    const TrainEvent& event = parsed.events[i];
    write.events.push_back({++cursors.event, batch.attempt.attempt, line.rank, line.text});
    if (!counts) {
      counts_.stale += event.kind == EventKind::kCheckpoint;
    } else if (ConcernsJob(event, line.rank)) {
      if (!changed) changed = *job;
      TrackEvent(event, now, &*changed);
      counts_.bad += event.kind == EventKind::kCheckpointBad;
    }
  }
  write.position.next_event_seq = std::max(write.position.next_event_seq, batch.end_seq());
  write.revision = jobs_->revision() + 1;
  if (changed) {
    changed->revision = write.revision;
    write.job = &*changed;
  }
  const uint64_t before = cursors.event - write.events.size();
  FPO_RETURN_IF_ERROR(Store(write, cursors));
  // Only now and then: it is one more write.
  if (cursors.event > kEventsKept && cursors.event / kEventsDropped != before / kEventsDropped) {
    FPO_RETURN_IF_ERROR(
        store_->DropEventsBefore(batch.attempt.job_id, cursors.event - kEventsKept + 1));
  }
  if (changed) jobs_->Publish(*std::move(changed));
  if (!write.events.empty()) jobs_->NotifyLines(batch.attempt.job_id);
  return absl::OkStatus();
}

absl::Status LineIntake::AddLogs(const std::string& worker, const LogBatch& batch) {
  LineWrite write;
  write.sender = {batch.attempt, worker};
  if (!Admit(write.sender, {.next_log_seq = batch.end_seq()})) return absl::OkStatus();
  FPO_ASSIGN_OR_RETURN(write.position, PositionOf(write.sender));
  const uint64_t next = write.position.next_log_seq;
  // Behind lines that were not stored: they come again together.
  const auto held = held_logs_.find(write.sender);
  if (held != held_logs_.end() && batch.first_seq > held->second.from_seq) return absl::OkStatus();
  FPO_ASSIGN_OR_RETURN(Cursors cursors, CursorsOf(batch.attempt.job_id));
  for (size_t i = FirstFresh(batch, write.position.next_log_seq); i < batch.lines.size(); ++i) {
    const Line& line = batch.lines[i];
    write.logs.push_back({++cursors.log, batch.attempt.attempt, line.rank,
                          line.stream.value_or(LineStream::kAgent), line.time_unix_ms, line.text});
  }
  write.position.next_log_seq = std::max(write.position.next_log_seq, batch.end_seq());
  if (!write.logs.empty()) write.stock = retention_->With(batch.attempt.job_id, write.logs);
  write.revision = jobs_->revision() + 1;
  // A full disk is no fault of the agent: the lines stay with it until there is space.
  const absl::Status stored = Store(write, cursors);
  if (absl::IsResourceExhausted(stored)) {
    held_logs_[write.sender] = {std::max(batch.first_seq, next), /*asked_again=*/false};
    return absl::OkStatus();
  }
  FPO_RETURN_IF_ERROR(stored);
  held_logs_.erase(write.sender);
  if (write.stock) retention_->Set(batch.attempt.job_id, *write.stock);
  if (!write.logs.empty()) jobs_->NotifyLines(batch.attempt.job_id);
  return absl::OkStatus();
}

std::vector<std::pair<std::string, ResendLogsCommand>> LineIntake::TakeResends() {
  std::vector<std::pair<std::string, ResendLogsCommand>> resends;
  for (auto& [sender, held] : held_logs_) {
    if (std::exchange(held.asked_again, true)) continue;
    resends.emplace_back(sender.worker, ResendLogsCommand{sender.ref, held.from_seq});
  }
  return resends;
}

void LineIntake::Forget(const std::string& job_id) {
  cursors_.erase(job_id);
  std::erase_if(held_logs_, [&](const auto& each) { return each.first.ref.job_id == job_id; });
  std::erase_if(positions_, [&](const auto& each) { return each.first.ref.job_id == job_id; });
}

std::vector<std::pair<std::string, AckCommand>> LineIntake::TakeAcks() {
  std::vector<std::pair<std::string, AckCommand>> acks;
  for (const auto& [sender, next] : unacknowledged_) {
    AckCommand ack{.attempt = sender.ref};
    if (next.next_event_seq > 0) ack.events_seq = next.next_event_seq - 1;
    if (next.next_log_seq > 0) ack.logs_seq = next.next_log_seq - 1;
    acks.emplace_back(sender.worker, std::move(ack));
  }
  unacknowledged_.clear();
  return acks;
}

void LineIntake::ReturnAcks(std::vector<std::pair<std::string, AckCommand>> acks) {
  for (const auto& [worker, ack] : acks) {
    WillAck({ack.attempt, worker}, {ack.events_seq + 1, ack.logs_seq + 1});
  }
}

}  // namespace fpo::coordinator
