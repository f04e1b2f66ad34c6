#include "train/formats/npz/npz.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include <ATen/ops/empty.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "train/formats/npz/zip_archive.h"
#include "train/formats/npz/zip_writer.h"

namespace fpo::train {
namespace {

constexpr char kMagic[] = "\x93NUMPY";

struct NumpyType {
  const char* descr;
  c10::ScalarType type;
};
// ml_dtypes (JAX) saves bfloat16, which numpy has no name for, as two bytes of any kind; nothing
// else is saved so.
constexpr std::array<NumpyType, 7> kNumpyTypes = {{{"<f2", c10::ScalarType::Half},
                                                   {"<f4", c10::ScalarType::Float},
                                                   {"<f8", c10::ScalarType::Double},
                                                   {"<i4", c10::ScalarType::Int},
                                                   {"<i8", c10::ScalarType::Long},
                                                   {"<V2", c10::ScalarType::BFloat16},
                                                   {"|V2", c10::ScalarType::BFloat16}}};

absl::Status BrokenArray(const std::string& name, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("array ", name, " is not a whole .npy: ", what));
}

// The text after 'key': in the header's Python dict literal, up to the comma or bracket that ends
// it.
std::optional<absl::string_view> Field(absl::string_view header, absl::string_view key) {
  const size_t at = header.find(absl::StrCat("'", key, "'"));
  if (at == absl::string_view::npos) return std::nullopt;
  absl::string_view rest = absl::StripLeadingAsciiWhitespace(header.substr(at + key.size() + 2));
  if (!absl::ConsumePrefix(&rest, ":")) return std::nullopt;
  rest = absl::StripLeadingAsciiWhitespace(rest);
  if (rest.empty()) return std::nullopt;
  const char close = rest[0] == '(' ? ')' : rest[0] == '\'' ? '\'' : ',';
  const size_t end = rest.find(close, 1);
  if (end == absl::string_view::npos) return std::nullopt;
  return close == ',' ? absl::StripAsciiWhitespace(rest.substr(0, end)) : rest.substr(1, end - 1);
}

absl::StatusOr<std::vector<int64_t>> ParseShape(absl::string_view text, const std::string& name) {
  std::vector<int64_t> shape;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    part = absl::StripAsciiWhitespace(part);
    if (part.empty()) continue;  // "(3,)" and "()"
    int64_t size = 0;
    if (!absl::SimpleAtoi(part, &size) || size < 0 || shape.size() == 16) {
      return BrokenArray(name, absl::StrCat("shape (", text, ")"));
    }
    shape.push_back(size);
  }
  return shape;
}

absl::StatusOr<c10::ScalarType> ParseType(absl::string_view descr, const std::string& name) {
  for (const NumpyType& row : kNumpyTypes) {
    if (descr == row.descr) return row.type;
  }
  if (absl::StrContains(descr, "O")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "array ", name, " holds Python objects (pickle), which can run code when read; refused"));
  }
  return absl::InvalidArgumentError(absl::StrCat("array ", name, " has numpy type ", descr,
                                                 "; little-endian f16, bf16, f32, f64, i32 and i64 "
                                                 "are read"));
}

// The dimensions of a tensor from last to first.
std::vector<int64_t> Reversed(size_t dimensions) {
  std::vector<int64_t> order(dimensions);
  for (size_t i = 0; i < dimensions; ++i) order[i] = static_cast<int64_t>(dimensions - 1 - i);
  return order;
}

struct NpyHeader {
  absl::string_view text;
  absl::string_view data;
};

absl::StatusOr<NpyHeader> SplitHeader(absl::string_view bytes, const std::string& name) {
  if (!absl::ConsumePrefix(&bytes, absl::string_view(kMagic, 6)) || bytes.size() < 4) {
    return BrokenArray(name, "no numpy magic");
  }
  const int version = bytes[0];
  if (version < 1 || version > 3) return BrokenArray(name, absl::StrCat("version ", version));
  const size_t width = version == 1 ? 2 : 4;
  bytes.remove_prefix(2);
  if (bytes.size() < width) return BrokenArray(name, "no header length");
  uint32_t length = 0;
  std::memcpy(&length, bytes.data(), width);
  bytes.remove_prefix(width);
  if (length > bytes.size())
    return BrokenArray(name, absl::StrCat("a header of ", length, " bytes"));
  return NpyHeader{bytes.substr(0, length), bytes.substr(length)};
}

std::string NpyImage(const at::Tensor& array, absl::string_view descr) {
  std::string header =
      absl::StrCat("{'descr': '", descr, "', 'fortran_order': False, 'shape': (",
                   absl::StrJoin(array.sizes().vec(), ", "), array.dim() == 1 ? ",), }" : "), }");
  // Magic, version and length are 10 bytes; data begins at a multiple of 64, as numpy has it.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header.push_back('\n');
  std::string image(kMagic, 6);
  image += std::string("\x01\x00", 2);
  image.push_back(static_cast<char>(header.size() & 0xFF));
  image.push_back(static_cast<char>(header.size() >> 8));
  image += header;
  const auto bytes = static_cast<size_t>(array.numel() * array.element_size());
  if (bytes > 0) image.append(static_cast<const char*>(array.const_data_ptr()), bytes);
  return image;
}

}  // namespace

absl::StatusOr<at::Tensor> ParseNpy(absl::string_view bytes, const std::string& name) {
  FPO_ASSIGN_OR_RETURN(const NpyHeader npy, SplitHeader(bytes, name));
  const auto descr = Field(npy.text, "descr");
  const auto fortran = Field(npy.text, "fortran_order");
  const auto shape_text = Field(npy.text, "shape");
  if (!descr || !fortran || !shape_text)
    return BrokenArray(name, "descr, order or shape is missing");
  FPO_ASSIGN_OR_RETURN(const c10::ScalarType type, ParseType(*descr, name));
  FPO_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, ParseShape(*shape_text, name));
  const bool columns = *fortran == "True" && shape.size() > 1;  // the first index runs fastest
  if (*fortran != "True" && *fortran != "False") return BrokenArray(name, "no order");
  auto needed = static_cast<int64_t>(c10::elementSize(type));
  for (const int64_t size : shape) {
    if (__builtin_mul_overflow(needed, size, &needed))
      return BrokenArray(name, "its size overflows");
  }
  if (static_cast<uint64_t>(needed) != npy.data.size()) {
    return BrokenArray(name, absl::StrCat("shape (", *shape_text, ") needs ", needed,
                                          " bytes, it has ", npy.data.size()));
  }
  std::vector<int64_t> stored = shape;
  if (columns) std::reverse(stored.begin(), stored.end());
  at::Tensor array = at::empty(stored, at::TensorOptions().dtype(type));
  if (needed > 0) std::memcpy(array.mutable_data_ptr(), npy.data.data(), npy.data.size());
  return columns ? array.permute(Reversed(shape.size())).contiguous() : array;
}

absl::StatusOr<std::map<std::string, at::Tensor>> ReadNpz(const std::string& path,
                                                          const std::vector<std::string>& only) {
  FPO_ASSIGN_OR_RETURN(const ZipArchive archive, ZipArchive::Open(path));
  std::map<std::string, at::Tensor> arrays;
  for (const ZipMember& member : archive.members()) {
    absl::string_view name = member.name;
    if (!absl::ConsumeSuffix(&name, ".npy")) continue;
    const std::string key(name);
    if (!only.empty() && std::find(only.begin(), only.end(), key) == only.end()) continue;
    FPO_ASSIGN_OR_RETURN(const std::string bytes, archive.Read(member));
    FPO_ASSIGN_OR_RETURN(arrays[key], ParseNpy(bytes, absl::StrCat(path, ":", key)));
  }
  return arrays;
}

absl::Status WriteNpz(const std::string& path, const std::map<std::string, at::Tensor>& arrays) {
  FPO_ASSIGN_OR_RETURN(ZipWriter zip, ZipWriter::Create(path));
  for (const auto& [name, tensor] : arrays) {
    const char* descr = nullptr;
    for (const NumpyType& row : kNumpyTypes) {
      const bool named =
          tensor.scalar_type() != c10::ScalarType::BFloat16;  // numpy has no such type
      if (named && row.type == tensor.scalar_type()) descr = row.descr;
    }
    if (descr == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("cannot write array ", name, " of type ",
                                                     c10::toString(tensor.scalar_type()), " to ",
                                                     path, "; f16, f32, f64, i32 and i64 only"));
    }
    const at::Tensor plain = tensor.detach().to(at::kCPU).contiguous();
    FPO_RETURN_IF_ERROR(zip.Add(name + ".npy", NpyImage(plain, descr)));
  }
  return zip.Finish();
}

}  // namespace fpo::train
