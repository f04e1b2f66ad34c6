#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/hash.h"

namespace fpo::worker {

// What a user wants of a job's output folder or of a checkpoint.
struct ArtifactOrder {
  std::string transfer_id = {};
  std::string folder = {};  // absolute
  bool checkpoint = false;  // else the output folder of a job
  std::string file = {};    // as listed; empty: the list
  int64_t offset = 0;       // the user has so many bytes of it
};

struct ArtifactEntry {
  std::string name = {};  // relative to the folder
  int64_t bytes = 0;
  std::string sha256 = {};  // hex, where a checkpoint's manifest names it

  bool operator==(const ArtifactEntry&) const = default;
};

// One message of the answer: the list, a piece of the file, or its end.
struct ArtifactFrame {
  std::vector<ArtifactEntry> files;
  std::string data;
  std::optional<Digest> sha256;  // of the whole file, also of what was skipped
};

inline constexpr size_t kArtifactFrameBytes = 256 << 10;

// Answers the order frame by frame until `sink` returns false. Of an output folder only what a run
// leaves there is given: model/ and the files of its report. Links are not followed. NotFound: no
// such file, or the folder is gone; OutOfRange: the file is shorter than the offset.
absl::Status ServeArtifact(const ArtifactOrder& order,
                           const std::function<bool(ArtifactFrame)>& sink);

}  // namespace fpo::worker
