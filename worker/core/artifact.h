#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/hash.h"
#include "common/values/artifact_file.h"
#include "common/values/worker_command.h"

namespace fpo::worker {

// One message of the response: the list, a piece of the file, or its end.
struct ArtifactFrame {
  std::vector<ArtifactFile> files;
  std::string data;
  std::optional<Digest> sha256;  // of the whole file, skipped bytes included
};

inline constexpr size_t kArtifactFrameBytes = 256 << 10;

// Answers the order frame by frame until `sink` returns false. From an output folder it serves only
// what a job of the order's kind leaves: of a run model/ and the files of its report. Links are not
// followed. NotFound: no such file, or the folder is gone; OutOfRange: the file is shorter than the
// offset; DataLoss (CORRUPT): the model is not the one that the job reported, or lacks a file.
absl::Status ServeArtifact(const ServeArtifactCommand& order,
                           const std::function<bool(ArtifactFrame)>& sink);

// OK when OUT/model of the order is the model of the job's result, not one that another run put
// there, as far as the job reported its manifest. DataLoss (CORRUPT) otherwise.
absl::Status CheckModel(const ServeArtifactCommand& order);

}  // namespace fpo::worker
