#include "train/formats/tensor_type.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fpo::train {
namespace {

struct TensorTypeRow {
  const char* name;
  int64_t bits;
  c10::ScalarType type;
};
constexpr std::array<TensorTypeRow, 16> kTensorTypes = {{
    {"BOOL", 8, c10::ScalarType::Bool},
    {"U8", 8, c10::ScalarType::Byte},
    {"I8", 8, c10::ScalarType::Char},
    {"I16", 16, c10::ScalarType::Short},
    {"U16", 16, c10::ScalarType::UInt16},
    {"F16", 16, c10::ScalarType::Half},
    {"BF16", 16, c10::ScalarType::BFloat16},
    {"I32", 32, c10::ScalarType::Int},
    {"U32", 32, c10::ScalarType::UInt32},
    {"F32", 32, c10::ScalarType::Float},
    {"F64", 64, c10::ScalarType::Double},
    {"I64", 64, c10::ScalarType::Long},
    {"U64", 64, c10::ScalarType::UInt64},
    {"F8_E5M2", 8, c10::ScalarType::Float8_e5m2},
    {"F8_E4M3", 8, c10::ScalarType::Float8_e4m3fn},
    {"C64", 64, c10::ScalarType::ComplexFloat},
}};

}  // namespace

absl::StatusOr<c10::ScalarType> TensorTypeOf(absl::string_view name) {
  for (const TensorTypeRow& row : kTensorTypes) {
    if (name == row.name) return row.type;
  }
  return absl::InvalidArgumentError(absl::StrCat("no tensor type for safetensors dtype ", name));
}

absl::StatusOr<std::string> TensorTypeName(c10::ScalarType type) {
  for (const TensorTypeRow& row : kTensorTypes) {
    if (type == row.type) return std::string(row.name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("safetensors has no name for tensor type ", c10::toString(type)));
}

int64_t TensorTypeBits(absl::string_view name) {
  for (const TensorTypeRow& row : kTensorTypes) {
    if (name == row.name) return row.bits;
  }
  if (name == "F8_E8M0") return 8;
  if (name == "F6_E2M3" || name == "F6_E3M2") return 6;
  return name == "F4" ? 4 : 0;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

}  // namespace fpo::train
