#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "worker/core/outbox/line_journal.h"
#include "worker/core/outbox/log_spool.h"

namespace fpo::worker {

// The lines of one kind (logs or events) of an attempt until they are acknowledged: the spool that
// is sent from, and the journal for the next agent. Every call may wait for the disk. Thread-safe.
class LineBox {
 public:
  // What is there after a call, for those who must not wait for the disk.
  struct State {
    uint64_t first_seq = 1;  // oldest kept
    uint64_t end_seq = 1;    // of the next line
    size_t bytes = 0;
    size_t gap_bytes = 0;  // dropped so far

    bool empty() const { return first_seq == end_seq; }
  };

  // `spool` has the folder and name of both.
  explicit LineBox(const LogSpool::Options& spool);
  // With what an earlier agent left in the journal.
  LineBox(LogSpool::Options spool, LineJournal journal, LineJournal::Recovered recovered);

  State Append(Line line);
  SpoolRead Read(uint64_t seq, size_t bytes_max, State* after);
  State Acknowledge(uint64_t seq);
  void RemoveJournal();
  State state() const;

 private:
  State StateNow() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  LogSpool spool_ ABSL_GUARDED_BY(mutex_);
  LineJournal journal_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::worker
