#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace fpo {

// A checkpoint accepted under the epoch that wrote it; no other one counts.
struct Checkpoint {
  int64_t step = 0;
  int32_t attempt = 0;
  uint64_t epoch = 0;
  std::string folder = {};  // on the hosts of the job
  // hex SHA-256 of its manifest.json; empty when the agent did not report it
  std::string digest = {};
  int64_t bytes = 0;                           // of all files
  std::optional<double> score = std::nullopt;  // smaller is better
  bool pinned = false;                         // kept until unpinned
  absl::Time accepted = {};

  bool operator==(const Checkpoint&) const = default;
};

// A checkpoint that its trainer found damaged or could not load twice; it is no longer used.
struct BadCheckpoint {
  int64_t step = 0;
  int32_t attempt = 0;  // the attempt that found it
  std::string why = {};
  absl::Time found = {};

  bool operator==(const BadCheckpoint&) const = default;
};

}  // namespace fpo
