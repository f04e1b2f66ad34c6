#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "worker/core/phase_end.h"
#include "worker/core/process/process_set.h"
#include "worker/core/process/rank_output.h"

namespace fpo::worker {

struct RankGroup {
  std::string name;                                     // of the phase, for messages
  RankSink* sink;                                       // receives the ranks' output
  RankOutput* output;                                   // has their last messages
  absl::Duration stall_timeout = absl::ZeroDuration();  // of a silent group; zero: never
};

struct GroupEnd {
  PhaseEnd end;
  bool survived_kill = false;
};

// Runs the processes of one phase to their common end: all done, or the first that failed, after
// which the others are stopped (they would wait for it forever). Blocks; ProcessSet::Stop ends it
// from another thread.
GroupEnd RunRankGroup(const RankGroup& group, const std::vector<RankCommand>& commands,
                      ProcessSet* processes);

}  // namespace fpo::worker
