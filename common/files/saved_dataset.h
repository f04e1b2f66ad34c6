#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fpo {

// The files of a folder that save_to_disk of the datasets library wrote, in the order of its
// state.json; nullopt for any other folder. InvalidArgument when it holds several splits, of which
// one has to be named, or cannot be read by its files alone; NotFound when a file is absent.
absl::StatusOr<std::optional<std::vector<std::string>>> SavedDatasetFiles(
    const std::string& folder);

}  // namespace fpo
