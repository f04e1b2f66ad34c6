#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "train/checkpoint/checkpoint_writer.h"
#include "train/formats/piece_file.h"
#include "train/formats/safetensors_writer.h"

namespace fpo::train {

// One rank's part of a checkpoint that several ranks write. Together their pieces are all elements
// of all tensors, each once; StoredTensors::OpenPieces checks that.
struct CheckpointShard {
  int64_t step = 0;
  int64_t rank = 0;
  int64_t world = 2;
  std::vector<TensorPiece> model;
  std::vector<TensorPiece> optimizer;
};

// The pieces that a rank writes of tensors that every rank has: those of all tensors in a row, in
// name order, are cut into `world` runs of equal bytes. Views where a tensor is contiguous.
std::vector<TensorPiece> CutForRank(const TensorMap& tensors, int64_t rank, int64_t world);

// Writes the rank's two files (rank_files.h) into the folder that the first rank has begun. Durable
// on return.
absl::StatusOr<std::vector<CheckpointFile>> WriteShard(const CheckpointShard& shard,
                                                       const std::string& folder);

}  // namespace fpo::train
