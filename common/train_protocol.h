#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo {

// How fpo-train ends. The agent decides from the code whether a restart can help.
enum class ExitCode : int {
  kDone = 0,
  kBug = 1,
  kUsage = 2,
  kInvalid = 3,       // config or data invalid
  kForeignCache = 4,  // reference records of another model
  kOutOfMemory = 5,
  kPeerLost = 6,
  kStopped = 7,  // stopped on request, checkpoint written
  kNotFinite = 8,
  kStorage = 9,
  kDevice = 10,  // a device, or a library that one needs, is missing or broken on this host
  kDoNotRestart = 93,
};

// One JSON line on descriptor 3, written by fpo-train and read by the agent:
// {"v":1,"seq":n,"t":seconds,"kind":...}. Unknown fields are ignored, unknown kinds are passed on.
struct TrainEvent {
  // hello | phase | progress | step | evaluation | records | checkpoint | checkpoint_bad | warning
  // | result | error
  std::string kind;
  uint64_t seq = 0;
  double time = 0;                        // seconds since the epoch
  std::string phase;                      // phase, progress: prepare | reference | train | finish
  int64_t done = 0;                       // progress
  int64_t total = 0;                      // progress; step: last step of the run
  std::string unit;                       // progress: rows | responses | bytes | steps ...
  std::string activity;                   // progress: what is being done just now, in words
  int64_t step = 0;                       // step, evaluation, checkpoint, checkpoint_bad
  std::map<std::string, double> metrics;  // step, evaluation, result: names of metrics.jsonl
  std::string file;                       // records, checkpoint: path; result: output folder
  int64_t count = 0;                      // records: how many are in `file`
  std::string digest;                     // checkpoint: SHA-256 of its manifest.json, hex
  std::string error_class;                // error: invalid | memory | storage | ...
  std::string message;                    // warning, error, checkpoint_bad
};

std::string EncodeEvent(const TrainEvent& event);               // one line without the newline
absl::StatusOr<TrainEvent> ParseEvent(absl::string_view line);  // InvalidArgument

// One JSON line on descriptor 4, from the agent to fpo-train.
struct TrainCommand {
  std::string kind;               // score | stop
  std::vector<int64_t> ordinals;  // score: positions in reference.keys to compute
  std::string file;               // score: the .fpr file to write
};

std::string EncodeCommand(const TrainCommand& command);
absl::StatusOr<TrainCommand> ParseCommand(absl::string_view line);

}  // namespace fpo
