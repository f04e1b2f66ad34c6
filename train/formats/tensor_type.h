#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <c10/core/ScalarType.h>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// Names of safetensors ("F32", "BF16", "I64", ...) and their tensor types. InvalidArgument for a
// name that LibTorch has no type for.
absl::StatusOr<c10::ScalarType> TensorTypeOf(absl::string_view name);
absl::StatusOr<std::string> TensorTypeName(c10::ScalarType type);

// Bits of one element of any type the format knows (4 for F4); 0 for an unknown name.
int64_t TensorTypeBits(absl::string_view name);

std::string ShapeText(const std::vector<int64_t>& shape);  // "[2, 3]"

}  // namespace fpo::train
