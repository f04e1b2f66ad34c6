#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace fpo {

// Progress of one piece of work.
struct WorkState {
  // of the job: prepare | reference | train | finish; empty: that of the enclosing piece
  std::string phase;
  std::string what;  // "hashing the weights"; empty: its numbers suffice
  int64_t done = 0;
  int64_t total = 0;  // 0: unknown
  std::string unit;   // of `done` and `total`: rows, bytes, steps ...
};

// Called whenever work is done, on the thread that did it.
class WorkListener {
 public:
  virtual ~WorkListener() = default;
  // The pieces in progress, the outermost first; at least one.
  virtual void OnWork(const std::vector<WorkState>& pieces) = 0;
};

// Installs the listener (null: none) and returns the previous one. Not owned. One per process, as
// for failpoints: work is done in loops over tensors and bytes whose callers know nothing of
// observers.
WorkListener* ListenToWork(WorkListener* listener);

// A piece of work for its lifetime. Pieces nest: a step has micro-batches, each with a forward pass
// over layers. Only report work done, never the passing of time: a hang must stay silent. Pieces
// begin and end in order, on one thread at a time; advancing is thread-safe.
class Work {
 public:
  Work(std::string what, int64_t total, std::string unit);
  explicit Work(WorkState state);
  ~Work();
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  void Advance(int64_t amount = 1);
  void SetDone(int64_t done);
  void SetWhat(std::string what);

 private:
  const size_t depth_;
};

// While it lives, work of this thread is beside that of the others: it is counted in `done` and is
// no piece in progress.
class BackgroundWork {
 public:
  explicit BackgroundWork(std::atomic<int64_t>* done);
  ~BackgroundWork();
  BackgroundWork(const BackgroundWork&) = delete;
  BackgroundWork& operator=(const BackgroundWork&) = delete;
};

// Advances the innermost piece in progress: for code that is part of other pieces of work. Does
// nothing without one.
void AdvanceWork(int64_t amount = 1);
void SetWorkDone(int64_t done);

// "hashing the weights: 1.5 of 4.9 GiB, ..." of pieces[first...], for people.
std::string WorkText(const std::vector<WorkState>& pieces, size_t first = 0);

}  // namespace fpo
