#pragma once

#include <string>

#include "absl/status/status.h"
#include "train/data/token_file.h"

namespace fpo::train {

// InvalidArgument, naming both numbers, when `tokens` contains an id without a row in the model's
// embedding: the file was prepared for another model. Reads only config.json.
absl::Status CheckIdsFit(const TokenFile& tokens, const std::string& model_folder);

}  // namespace fpo::train
