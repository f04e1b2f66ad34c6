#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// Reads the arrays of a numpy .npz archive, by name without ".npy". Members stored or deflated,
// zip64, data descriptors; .npy versions 1-3; little-endian f16 f32 f64 i32 i64, and bf16 as
// ml_dtypes saves it; C and Fortran order. Object arrays (pickle) and encrypted members are
// rejected by name. CRC and every size are checked. `only`: reads just these members (others are
// not decompressed); empty: all. Errors: NotFound, Unavailable, DataLoss (broken file),
// InvalidArgument (an unsupported kind).
absl::StatusOr<std::map<std::string, at::Tensor>> ReadNpz(
    const std::string& path, const std::vector<std::string>& only = {});

// Parses one .npy image. The tensor owns its memory.
absl::StatusOr<at::Tensor> ParseNpy(absl::string_view bytes, const std::string& name);

// Writes stored members, readable by numpy.load; atomic. f16 f32 f64 i32 i64 only.
absl::Status WriteNpz(const std::string& path, const std::map<std::string, at::Tensor>& arrays);

}  // namespace fpo::train
