#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo {

// How fpo-train exits. The code tells the agent whether a restart can help.
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
  kDevice = 10,    // a device, or a library that one needs, is missing or broken on this host
  kContract = 11,  // a feature contract is broken: the model is not published
};

// What an event reports. The names on the wire are in one table in train_protocol.cc.
enum class EventKind {
  kUnknown,  // from another build: its raw line is passed on, without effect
  kHello,
  kPhase,
  kProgress,
  kStep,
  kEvaluation,
  kRecords,
  kCheckpoint,
  kCheckpointBad,
  kWarning,
  kResult,
  kError,
};

// In the texts of a run's result: the digest of OUT/model/manifest.json, in hex.
inline constexpr char kModelManifestText[] = "model_manifest";
// What evaluate.patience ended a run with: a sentence.
inline constexpr char kStoppedEarlyText[] = "stopped_early";

using EventMetrics = std::map<std::string, double>;
using EventTexts = std::map<std::string, std::string>;

// One JSON line on descriptor 3, from fpo-train to the agent, which adds some itself:
// {"v":1,"seq":n,"t":seconds,"kind":...}. Unknown fields are ignored. The makers below say which
// fields a kind has.
struct TrainEvent {
  EventKind kind = EventKind::kUnknown;
  uint64_t seq = 0;
  double time = 0;          // seconds since the epoch
  std::string phase;        // prepare | reference | train | finish
  int64_t done = 0;         // of `total`, in units of `unit`
  int64_t total = 0;        // 0: not known
  std::string unit;         // rows | responses | bytes | steps ...
  std::string activity;     // what is being done right now, as text
  int64_t step = 0;         // optimiser steps done
  EventMetrics metrics;     // by their names in metrics.jsonl; NaN and infinities travel as null
  EventTexts texts;         // of a result: what it says beside its metrics, by name
  std::string file;         // path of a file or folder
  int64_t count = 0;        // how many records are in `file`
  std::string digest;       // SHA-256 of a checkpoint's manifest.json, hex
  std::string error_class;  // invalid | memory | storage | ...
  std::string message;      // for people
};

// The sender sets sequence number and time.
struct EventAmount {
  int64_t done = 0;
  int64_t total = 0;
  std::string unit;
};
// A scorer is ready for commands.
TrainEvent HelloEvent(const std::string& message, int64_t responses);
// A phase begins, or has a message.
TrainEvent PhaseEvent(const std::string& phase, const std::string& message = "");
// Without an amount: only the current activity.
TrainEvent ProgressEvent(const std::string& phase, const EventAmount& amount,
                         const std::string& activity = "");
// Of phase train; `total_steps` of the run, metrics of this step.
TrainEvent StepEvent(int64_t step, int64_t total_steps, EventMetrics metrics);
TrainEvent EvaluationEvent(int64_t step, int64_t total_steps, EventMetrics metrics);
// `file` holds `count` new records; metrics: seconds, records_per_second, flops.
TrainEvent RecordsEvent(const std::string& file, int64_t count, EventMetrics metrics);
// metrics: seconds it took; bytes and score (lower is better), which the agent adds with `digest`.
TrainEvent CheckpointEvent(int64_t step, const std::string& folder, EventMetrics metrics = {});
// The checkpoint of `step` is damaged or unusable.
TrainEvent BadCheckpointEvent(int64_t step, const std::string& message);
TrainEvent WarningEvent(const std::string& message);
// A command's output, its final numbers, and texts.
TrainEvent ResultEvent(const std::string& file, int64_t step, EventMetrics metrics,
                       EventTexts texts = {});
TrainEvent ErrorEvent(const std::string& error_class, const std::string& message);

std::string EncodeEvent(const TrainEvent& event);  // one line without the newline
// InvalidArgument: no JSON object, another protocol version, no kind, a field of another type.
absl::StatusOr<TrainEvent> ParseEvent(absl::string_view line);

// One JSON line on descriptor 4, from the agent to fpo-train.
struct TrainCommand {
  std::string kind;               // score | stop
  std::vector<int64_t> ordinals;  // score: positions in reference.keys to compute
  std::string file;               // score: the .fpr file to write
};

std::string EncodeCommand(const TrainCommand& command);
absl::StatusOr<TrainCommand> ParseCommand(absl::string_view line);

}  // namespace fpo
