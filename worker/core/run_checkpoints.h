#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/train_protocol.h"

namespace fpo::worker {

// The checkpoint folders OUT/checkpoints/step-N of a run, as fpo-train writes them: complete or
// absent, with a manifest.json that names every file.

// What the coordinator stores about one: step, folder, digest of the manifest, and as metrics the
// bytes of all files and the score. nullopt when the folder has no readable manifest.
std::optional<TrainEvent> DescribeCheckpoint(const std::string& folder);

// One such event per complete checkpoint below `out`, by step.
std::vector<TrainEvent> ListRunCheckpoints(const std::string& out);

// Removes the checkpoints of later steps, because the run is to return to `step`.
absl::Status DiscardCheckpointsAfter(const std::string& out, int64_t step);

// Sets or removes a marker that fpo-train's retention respects.
absl::Status PinCheckpoint(const std::string& folder, bool pinned);

// Removes one checkpoint folder and nothing else: the path must end in checkpoints/step-N. OK when
// the folder is already gone.
absl::Status RemoveCheckpoint(const std::string& folder);

}  // namespace fpo::worker
