#include "worker/core/outbox/line_box.h"

#include <utility>

namespace fpo::worker {

LineBox::LineBox(const LogSpool::Options& spool)
    : spool_(spool), journal_({.folder = spool.folder, .name = spool.name}) {}

LineBox::LineBox(LogSpool::Options spool, LineJournal journal, LineJournal::Recovered recovered)
    : spool_((spool.first_seq = recovered.first_seq, std::move(spool))),
      journal_(std::move(journal)) {
  for (Line& line : recovered.lines) spool_.Append(std::move(line));
}

LineBox::State LineBox::StateNow() const {
  return {spool_.first_seq(), spool_.end_seq(), spool_.bytes(), spool_.gap_bytes()};
}

LineBox::State LineBox::state() const {
  absl::MutexLock lock(&mutex_);
  return StateNow();
}

LineBox::State LineBox::Append(Line line) {
  absl::MutexLock lock(&mutex_);
  journal_.Append(spool_.end_seq(), line);
  spool_.Append(std::move(line));
  return StateNow();
}

SpoolRead LineBox::Read(uint64_t seq, size_t bytes_max, State* after) {
  absl::MutexLock lock(&mutex_);
  SpoolRead read = spool_.Read(seq, bytes_max);
  *after = StateNow();
  return read;
}

LineBox::State LineBox::Acknowledge(uint64_t seq) {
  absl::MutexLock lock(&mutex_);
  spool_.Acknowledge(seq);
  journal_.Acknowledge(seq);
  return StateNow();
}

void LineBox::RemoveJournal() {
  absl::MutexLock lock(&mutex_);
  journal_.Remove();
}

}  // namespace fpo::worker
