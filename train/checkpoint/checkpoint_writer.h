#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "train/formats/safetensors_writer.h"

namespace fpo::train {

// What a checkpoint holds. The caller gives names to everything; the writer knows no optimiser.
struct CheckpointContent {
  int64_t step = 0;
  TensorMap model;         // Hugging Face names; float32 master where there is one
  TensorMap optimizer;     // any names
  std::string state_json;  // a JSON object: data position, RNG, schedule, probe values ...
};

// Writes OUT/checkpoints/step-N and removes the ones no longer wanted. One writer per folder; not
// thread-safe.
class CheckpointWriter {
 public:
  struct Options {
    int64_t keep_last = 2;  // newest ones kept; at least 1
    int64_t keep_best = 1;  // and those with the lowest score
  };
  // `out` is the run's output folder. Leftover step-N.tmp folders of a killed run are removed on
  // the first write.
  CheckpointWriter(std::string out, Options options);

  // Written in step-N.tmp, every file synced, then renamed: complete or absent. An existing step-N
  // is replaced. `score`: smaller is better (evaluation loss); without one the checkpoint never
  // counts as best. Returns the folder.
  absl::StatusOr<std::string> Write(const CheckpointContent& content,
                                    std::optional<double> score = std::nullopt);

 private:
  absl::Status WriteFiles(const CheckpointContent& content, std::optional<double> score,
                          const std::string& folder) const;
  absl::Status Retain(int64_t newest) const;
  std::string folder_;  // OUT/checkpoints
  Options options_;
  bool swept_ = false;
};

}  // namespace fpo::train
