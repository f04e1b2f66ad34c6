#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/hash.h"
#include "train/formats/safetensors_writer.h"

namespace fpo::train {

// Contents of a checkpoint. The caller names all tensors; the writer knows nothing of optimisers.
struct CheckpointContent {
  int64_t step = 0;
  TensorMap model;         // Hugging Face names; float32 master where there is one
  TensorMap optimizer;     // any names
  std::string state_json;  // a JSON object: data position, RNG, schedule, probe values ...
};

// A file of a checkpoint, as its manifest lists it.
struct CheckpointFile {
  std::string name;
  int64_t bytes = 0;
  Digest sha256 = {};
};
// Of a file in a folder that is being built.
absl::StatusOr<CheckpointFile> DescribeFile(const std::string& folder, const std::string& name);

// What the ranks of a run have written between them (checkpoint_shard.h).
struct WrittenShards {
  int64_t step = 0;
  int64_t world = 2;
  std::vector<CheckpointFile> files;  // of all ranks
  std::string state_json;
  std::optional<double> score;
};

// Writes OUT/checkpoints/step-N and removes checkpoints that are no longer kept. One writer per
// folder; not thread-safe.
class CheckpointWriter {
 public:
  struct Options {
    int64_t keep_last = 2;  // newest checkpoints kept; at least 1
    int64_t keep_best = 1;  // also kept: those with the lowest score
  };
  // `out` is the run's output folder. The first write removes what a killed run was building,
  // unless an OutputLock has.
  CheckpointWriter(std::string out, Options options);

  // Writes to BuildingPath(step-N), syncs every file, then publishes it: complete or absent. Takes
  // the place of an existing step-N in one step. `score`: lower is better (evaluation loss); a
  // checkpoint without one is never kept as best. Returns the folder.
  absl::StatusOr<std::string> Write(const CheckpointContent& content,
                                    std::optional<double> score = std::nullopt);

  // The same in two parts, for a checkpoint that several ranks write. First an empty folder for
  // their files, which readers do not take for a checkpoint.
  absl::StatusOr<std::string> Begin(int64_t step);
  // Then, once all of them are there and durable: state, manifest, publication. Returns the folder.
  // Unavailable: a file is not in the folder as its rank described it.
  absl::StatusOr<std::string> Publish(const WrittenShards& shards, const std::string& building);

 private:
  absl::StatusOr<std::string> PublishBuilt(int64_t step, const std::string& building) const;
  absl::Status WriteFiles(const CheckpointContent& content, std::optional<double> score,
                          const std::string& folder) const;
  absl::Status Retain(int64_t newest) const;
  std::string folder_;  // OUT/checkpoints
  Options options_;
  bool swept_ = false;
};

}  // namespace fpo::train
