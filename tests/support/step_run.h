#pragma once

#include <signal.h>

#include <functional>
#include <string>

#include "common/train_protocol.h"

namespace fpo::testing {

// Rank 0 waits at the rendezvous for one other rank, which dials it: they are on hosts that reach
// each other.
bool MeetOtherRank(const std::string& address, bool leads);

// A run that remembers its steps: "steps-N-MS-EVERY" makes N steps of MS milliseconds with a
// checkpoint after every EVERY; "-PAD" behind it makes its lines PAD bytes longer. Its weights are
// a chain of hashes over the steps, so a step that was lost or made twice shows in the end. With
// "+stubborn" behind all that it ignores SIGTERM, with "+hold" it leaves a child that holds stdout.
class StepRun {
 public:
  struct Options {
    std::string how;
    std::string out;    // output folder
    bool leads = true;  // rank 0 writes
    std::function<void(TrainEvent)> emit;
    const volatile sig_atomic_t* stop = nullptr;  // asked to stop after a checkpoint
  };
  explicit StepRun(Options options);

  int Run();  // an exit code of fpo-train

 private:
  void Resume();
  void Save();

  const Options options_;
  int steps_ = 10, milliseconds_ = 10, every_ = 5, padding_ = 0;
  int step_ = 0;
  std::string weights_;
};

}  // namespace fpo::testing
