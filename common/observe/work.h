#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fpo {

// How far one piece of work has come.
struct WorkState {
  std::string phase;  // of the job: prepare | reference | train | finish; empty: that around it
  std::string what;   // "hashing the weights"; empty: its numbers say it
  int64_t done = 0;
  int64_t total = 0;  // 0: unknown
  std::string unit;   // of `done` and `total`: rows, bytes, steps ...
};

// Told whenever work is done, on the thread that did it.
class WorkListener {
 public:
  virtual ~WorkListener() = default;
  // The pieces under way, the outermost first; at least one.
  virtual void OnWork(const std::vector<WorkState>& pieces) = 0;
};

// Registers who is told, null for nobody, and returns who was. The listener is not owned. One a
// process, as for failpoints: work is done in loops over tensors and bytes whose callers have
// nothing to do with who watches.
WorkListener* ListenToWork(WorkListener* listener);

// A piece of work as long as it lives. Pieces nest: a step holds micro-batches, one of them a
// forward over layers. Only work that was done may be told, never the passing of time: a hang must
// stay silent. Pieces begin and end in order, on one thread at a time; advancing is thread-safe.
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

// Advances the innermost piece under way: for code that others' work consists of. Nothing happens
// without one.
void AdvanceWork(int64_t amount = 1);
void SetWorkDone(int64_t done);

// "hashing the weights: 1.5 of 4.9 GiB, ..." of pieces[first...], for people.
std::string WorkText(const std::vector<WorkState>& pieces, size_t first = 0);

}  // namespace fpo
