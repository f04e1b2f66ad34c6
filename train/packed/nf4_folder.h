#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "train/formats/safetensors_directory.h"
#include "train/nf4/nf4_tensor.h"

namespace fpo::train {

// A weight that bitsandbytes packed (nf4_names.h), on the mapping of its file. InvalidArgument when
// it is not NF4 in bytes, of another shape than `shape`, or a part of it does not fit.
absl::StatusOr<Nf4Tensor> ReadNf4(const SafetensorsDirectory& directory, const std::string& name,
                                  const std::vector<int64_t>& shape);

}  // namespace fpo::train
