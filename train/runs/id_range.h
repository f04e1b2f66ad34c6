#pragma once

#include <string>

#include "absl/status/status.h"
#include "train/data/token_file.h"

namespace fpo::train {

// InvalidArgument, naming both numbers, when `tokens` hold an id that the embedding of the model
// folder has no row for: the file was prepared for another model. Reads config.json alone.
absl::Status CheckIdsFit(const TokenFile& tokens, const std::string& model_folder);

}  // namespace fpo::train
