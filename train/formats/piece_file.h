#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "train/formats/safetensors.h"

namespace fpo::train {

// A part of a tensor: its elements [begin, end) in row-major order.
struct TensorPiece {
  std::string name;
  std::vector<int64_t> shape;  // of the whole tensor
  int64_t begin = 0;
  int64_t end = 0;
  at::Tensor values;  // [end - begin]
};

// Which one of the files that hold a set of tensors between them.
struct PieceFileId {
  int64_t rank = 0;
  int64_t world = 1;
  std::string set;  // the same in all of them, and in no other: "step 400"

  bool operator==(const PieceFileId&) const = default;
};

// Writes a safetensors file of one-dimensional tensors, each under the name of the whole one; its
// metadata has the id, and shape and begin of each piece. One piece of a tensor at most:
// InvalidArgument otherwise, and for a piece that does not lie in its tensor. Else as
// WriteSafetensors.
absl::Status WritePieces(const std::string& path, const PieceFileId& id,
                         const std::vector<TensorPiece>& pieces);

// Where a piece of such a file belongs; its end follows from its length.
struct PiecePlace {
  std::vector<int64_t> shape;
  int64_t begin = 0;
};

struct PieceIndex {
  PieceFileId id;
  std::map<std::string, PiecePlace> places;  // of every tensor of the file
};

// DataLoss names the file and what is wrong: no piece file, or a piece outside its tensor.
absl::StatusOr<PieceIndex> ReadPieceIndex(const SafetensorsFile& file);

}  // namespace fpo::train
