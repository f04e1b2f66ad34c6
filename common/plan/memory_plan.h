#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/plan/memory_walk.h"

namespace fpo {

// One thing that takes memory at the fullest moment of a phase.
struct MemoryPart {
  std::string name;
  int64_t bytes = 0;
  bool on_device = false;

  bool operator==(const MemoryPart&) const = default;
};

struct PhaseMemory {
  std::string phase;  // load | reference | train | evaluate | export | features
  std::vector<MemoryPart> parts;

  int64_t host_bytes() const;
  int64_t device_bytes() const;
  bool operator==(const PhaseMemory&) const = default;
};

// The fullest phase.
int64_t HostBytes(const std::vector<PhaseMemory>& phases);
int64_t DeviceBytes(const std::vector<PhaseMemory>& phases);

// Where the reference's values come from in this process.
enum class ReferencePlace { kNone, kRecords, kMemory };

// What the memory of a run follows from: sizes alone, no settings and no files.
struct RunSizes {
  StepSizes step;
  int64_t optimizer_moments = 2;  // values that the optimiser keeps for each weight
  int64_t ranks = 1;
  std::string shard = "none";  // among them (ShardSizes)
  ReferencePlace reference = ReferencePlace::kNone;
  bool scores_here = false;          // missing records are computed by this process
  int64_t weight_file_bytes = 0;     // of the model's folder, mapped while it is read
  int64_t same_type_bytes = 0;       // of these, what is in the model's dtype already
  int64_t sae_file_bytes = 0;        // read whole
  int64_t record_bytes = 0;          // the record file, mapped
  int64_t token_bytes = 0;           // token files, mapped
  int64_t program_bytes = 0;         // program and libraries before any tensor, on the host
  int64_t device_program_bytes = 0;  // context and libraries on the device
  bool compares_features = false;    // at the end, with the reference model
  bool copies_checkpoints = false;   // one is written beside training, from a copy on the host
  // The micro-batches that may be the fullest.
  std::vector<BatchSizes> first_batches;  // of steps
  std::vector<BatchSizes> later_batches;  // after the first of a step: gradients are there
  std::vector<BatchSizes> evaluated_batches;
  std::vector<BatchSizes> scored_batches;
  std::vector<BatchSizes> checked_batches;  // before the first step
};

// By phase and part. Each part is a function of its own, so that a part that is divided among
// ranks, or that an adapter makes smaller, is changed in one place. Of several ranks: the first.
std::vector<PhaseMemory> PlanMemory(const RunSizes& run);

}  // namespace fpo
