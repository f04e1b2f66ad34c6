#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/hash.h"
#include "worker/trainer/checkpoint/safetensors_writer.h"

namespace fpo::train {

struct CheckpointInfo {
  std::string folder;
  int64_t step = 0;
  std::optional<double> score;  // as given to the writer
};

struct Checkpoint {
  CheckpointInfo info;
  TensorMap model;  // views on the mapped files: copy what you change
  TensorMap optimizer;
  std::string state_json;
  Digest digest{};  // SHA-256 of manifest.json, the identity of the whole
};

// OUT/checkpoints/step-*, newest first, by name and manifest; not verified. Empty when there is no
// such folder.
std::vector<CheckpointInfo> ListCheckpoints(const std::string& out);

// Sizes and SHA-256 of every file against manifest.json. DataLoss names the file that differs.
absl::Status VerifyCheckpoint(const std::string& folder);

absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& folder);  // verified first

// The newest checkpoint that verifies. Corrupt newer ones are skipped, one sentence each appended
// to `warnings`. NotFound when there is none at all; DataLoss when there are some and all are
// corrupt.
absl::StatusOr<Checkpoint> ReadNewestCheckpoint(const std::string& out,
                                                std::vector<std::string>* warnings);

}  // namespace fpo::train
