#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/job/job_config.h"
#include "train/events/command_reader.h"
#include "train/events/event_sink.h"
#include "train/loop/model_loader.h"

namespace fpo::train {

struct ScoreServerOptions {
  std::string prepared;  // folder with reference.json and reference.keys
  at::Device device = at::kCPU;
};

// Scores on request until the agent closes its pipe or sends `stop`: loads reference model and
// SAEs, emits `hello`, then answers each `score` command (ordinals into reference.keys, file) with
// that record file and a `records` event. Fails with the exit code for a foreign cache when the
// folder was prepared for another model or SAE.
absl::Status ServeScores(const JobConfig& job, const ScoreServerOptions& options,
                         CommandReader& commands, EventSink& events);

}  // namespace fpo::train
