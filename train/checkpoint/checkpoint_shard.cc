#include "train/checkpoint/checkpoint_shard.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/failpoint.h"
#include "common/inputs/weights/rank_files.h"
#include "common/status_macros.h"

namespace fpo::train {

// Rank r has the bytes from total * r / world on, to where those of the next one begin; an element
// belongs to the rank in whose bytes it begins.
std::vector<TensorPiece> CutForRank(const TensorMap& tensors, int64_t rank, int64_t world) {
  int64_t total = 0;
  for (const auto& [name, tensor] : tensors) total += tensor.numel() * tensor.element_size();
  // Without the product of total and r, which may not fit.
  const auto bound = [&](int64_t r) { return total / world * r + total % world * r / world; };
  std::vector<TensorPiece> pieces;
  int64_t before = 0;  // bytes of the tensors so far
  for (const auto& [name, tensor] : tensors) {
    const int64_t width = tensor.element_size(), count = tensor.numel();
    const auto first_at = [&](int64_t byte) {
      return byte <= before ? 0 : std::min(count, (byte - before + width - 1) / width);
    };
    const int64_t begin = first_at(bound(rank)), end = first_at(bound(rank + 1));
    before += count * width;
    // A tensor without elements has to be somewhere, too.
    if (begin == end && !(count == 0 && rank == 0)) continue;
    pieces.push_back({name, tensor.sizes().vec(), begin, end,
                      tensor.detach().reshape({-1}).narrow(0, begin, end - begin)});
  }
  return pieces;
}

absl::StatusOr<std::vector<CheckpointFile>> WriteShard(const CheckpointShard& shard,
                                                       const std::string& folder) {
  const PieceFileId id{shard.rank, shard.world, absl::StrCat("step ", shard.step)};
  const std::string model = RankFileName(kModelRankStem, shard.rank, shard.world);
  const std::string optimizer = RankFileName(kOptimizerRankStem, shard.rank, shard.world);
  FPO_RETURN_IF_ERROR(WritePieces(absl::StrCat(folder, "/", model), id, shard.model));
  FPO_FAILPOINT("checkpoint.model_written");
  FPO_RETURN_IF_ERROR(WritePieces(absl::StrCat(folder, "/", optimizer), id, shard.optimizer));
  std::vector<CheckpointFile> files;
  for (const std::string& name : {model, optimizer}) {
    FPO_ASSIGN_OR_RETURN(CheckpointFile file, DescribeFile(folder, name));
    files.push_back(std::move(file));
  }
  FPO_FAILPOINT("checkpoint.shard_written");
  return files;
}

}  // namespace fpo::train
