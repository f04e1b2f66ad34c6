#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace fpo {

// A checkpoint that was accepted under the epoch that wrote it; nothing else is one.
struct Checkpoint {
  int64_t step = 0;
  int32_t attempt = 0;
  uint64_t epoch = 0;
  std::string folder = {};  // on the hosts of the job
  std::string digest = {};  // hex SHA-256 of its manifest.json; empty when the agent did not say
  int64_t bytes = 0;        // of all files
  std::optional<double> score = std::nullopt;  // smaller is better
  bool pinned = false;                         // kept until unpinned
  absl::Time accepted = {};

  bool operator==(const Checkpoint&) const = default;
};

// One that its trainer found damaged, or could not load twice: it is not used any more.
struct BadCheckpoint {
  int64_t step = 0;
  int32_t attempt = 0;  // that found it
  std::string why = {};
  absl::Time found = {};

  bool operator==(const BadCheckpoint&) const = default;
};

}  // namespace fpo
