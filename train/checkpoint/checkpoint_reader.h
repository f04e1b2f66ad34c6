#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/hash.h"
#include "train/formats/stored_tensors.h"

namespace fpo::train {

struct CheckpointInfo {
  std::string folder;
  int64_t step = 0;
  std::optional<double> score;  // as given to the writer
};

// That of one rank is model.safetensors, optimizer.safetensors and state.json; one of several has
// the first two of each rank (rank_files.h), as pieces that make up every tensor.
struct SavedCheckpoint {
  CheckpointInfo info;
  int64_t world = 1;    // ranks that wrote it
  StoredTensors model;  // whole tensors, whoever wrote them; copy what you change
  StoredTensors optimizer;
  std::string state_json;
  Digest digest{};  // SHA-256 of manifest.json: identifies the checkpoint
};

// Lists OUT/checkpoints/step-*, newest first, by name and manifest, without verifying them. Empty
// when the folder does not exist.
std::vector<CheckpointInfo> ListCheckpoints(const std::string& out);

// Sizes and SHA-256 of every file against manifest.json, and its step against the folder's name.
// DataLoss names the file that differs.
absl::Status VerifyCheckpoint(const std::string& folder);

absl::StatusOr<SavedCheckpoint> ReadCheckpoint(const std::string& folder);  // verified first
// The same, but a file of tensors is verified when something of it is read for the first time: for
// a rank that reads a part of a checkpoint that another one has verified.
absl::StatusOr<SavedCheckpoint> OpenCheckpoint(const std::string& folder);

struct SkippedCheckpoint {
  int64_t step = 0;
  bool bad = false;  // never tried again
  std::string why;   // a sentence
};

// Calls `load` with the newest checkpoint that verifies. One that fails verification, or that
// `load` rejects for the second time, is marked bad: its folder becomes step-N.bad. Every rejected
// checkpoint is appended to `skipped`, and the next older one is tried. NotFound when there are no
// checkpoints; DataLoss when none can be used. A failing `load` must have no side effects.
absl::StatusOr<SavedCheckpoint> LoadNewestCheckpoint(
    const std::string& out, const std::function<absl::Status(const SavedCheckpoint&)>& load,
    std::vector<SkippedCheckpoint>* skipped);

}  // namespace fpo::train
