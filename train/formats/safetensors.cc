#include "train/formats/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/files/lfs_pointer.h"
#include "common/status_macros.h"
#include "common/text/utf8.h"
#include "train/formats/tensor_type.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

constexpr int kHeaderDepthMax = 8;  // the format has three
constexpr int64_t kHeaderValuesMax = 4 << 20;
constexpr uint64_t kHeaderBytesMax = 100'000'000;  // the format's own limit

absl::Status Broken(const std::string& path, absl::string_view rule, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(path, " is not a whole safetensors file: ", rule, ": ", what));
}

// The header as JSON. Duplicate names are an error; the parser alone would keep the last.
absl::StatusOr<Json> ParseHeader(absl::string_view text, const std::string& path) {
  if (!IsUtf8(text)) return Broken(path, "InvalidHeader", "the header is not UTF-8");
  std::vector<std::set<std::string>> keys(1);
  std::string twice;
  bool too_much = false;
  int64_t values = 0;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    // Left out as it is read, so that no text of brackets or numbers fills the memory.
    too_much = too_much || depth > kHeaderDepthMax || ++values > kHeaderValuesMax;
    if (too_much) return false;
    keys.resize(static_cast<size_t>(depth) + 1);
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::key &&
        !keys.back().insert(value.get_ref<const std::string&>()).second) {
      twice = value.get<std::string>();
    }
    return true;
  };
  Json header = Json::parse(text.begin(), text.end(), watch, /*allow_exceptions=*/false);
  if (too_much) {
    return Broken(path, "InvalidHeaderDeserialization",
                  absl::StrCat("the header nests deeper than ", kHeaderDepthMax,
                               " levels or has more than ", kHeaderValuesMax, " values"));
  }
  if (header.is_discarded() || !header.is_object()) {
    return Broken(path, "InvalidHeaderDeserialization", "the header is not a JSON object");
  }
  if (!twice.empty()) {
    return Broken(path, "InvalidHeaderDeserialization",
                  absl::StrCat("\"", twice, "\" occurs twice in the header"));
  }
  return header;
}

std::optional<uint64_t> Natural(const Json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  return value.get<uint64_t>();
}

absl::StatusOr<TensorEntry> ParseEntry(const std::string& name, const Json& value,
                                       const std::string& path) {
  const auto malformed = [&](absl::string_view what) {
    return Broken(path, "InvalidHeaderDeserialization",
                  absl::StrCat("tensor \"", name, "\" ", what));
  };
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") ||
      !value.contains("shape") || !value.contains("data_offsets")) {
    return malformed("needs exactly dtype, shape and data_offsets");
  }
  TensorEntry entry;
  if (!value["dtype"].is_string()) return malformed("has a dtype that is not a string");
  entry.dtype = value["dtype"].get<std::string>();
  const auto bits = static_cast<uint64_t>(TensorTypeBits(entry.dtype));
  if (bits == 0) return malformed(absl::StrCat("has the unknown dtype ", entry.dtype));
  const Json& offsets = value["data_offsets"];
  if (!value["shape"].is_array() || !offsets.is_array() || offsets.size() != 2 ||
      !Natural(offsets[0]) || !Natural(offsets[1])) {
    return malformed("has a malformed shape or data_offsets");
  }
  const auto overflow = [&] {
    return Broken(path, "ValidationOverflow",
                  absl::StrCat("the size of tensor \"", name, "\" does not fit in 63 bits"));
  };
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  uint64_t total_bits = bits;
  for (const Json& item : value["shape"]) {
    const auto size = Natural(item);
    if (!size) return malformed("has a size that is not a natural number");
    if (*size > kMax || __builtin_mul_overflow(total_bits, *size, &total_bits)) return overflow();
    entry.shape.push_back(static_cast<int64_t>(*size));
  }
  if (total_bits > kMax || *Natural(offsets[0]) > kMax || *Natural(offsets[1]) > kMax) {
    return overflow();
  }
  entry.begin = static_cast<int64_t>(*Natural(offsets[0]));
  entry.end = static_cast<int64_t>(*Natural(offsets[1]));
  if (entry.end < entry.begin) {
    return Broken(path, "InvalidOffset",
                  absl::StrCat("tensor \"", name, "\" ends before it begins"));
  }
  if (total_bits % 8 != 0 || static_cast<uint64_t>(entry.end - entry.begin) != total_bits / 8) {
    return Broken(path, "TensorInvalidInfo",
                  absl::StrCat("tensor \"", name, "\" of shape ", ShapeText(entry.shape),
                               " and type ", entry.dtype, " needs ", total_bits / 8,
                               " bytes, its range has ", entry.end - entry.begin));
  }
  return entry;
}

// Every byte of the data part belongs to exactly one tensor.
absl::Status CheckRanges(const std::map<std::string, TensorEntry>& entries, int64_t data_bytes,
                         const std::string& path) {
  std::vector<std::pair<std::pair<int64_t, int64_t>, const std::string*>> ranges;
  for (const auto& [name, entry] : entries) ranges.push_back({{entry.begin, entry.end}, &name});
  std::sort(ranges.begin(), ranges.end());
  int64_t expected = 0;
  for (const auto& [range, name] : ranges) {
    if (range.first != expected) {
      return Broken(path, "InvalidOffset",
                    absl::StrCat("tensor \"", *name, "\" begins at ", range.first, ", not at ",
                                 expected, " where the one before it ends"));
    }
    expected = range.second;
  }
  if (expected != data_bytes) {
    return Broken(path, "MetadataIncompleteBuffer",
                  absl::StrCat("the tensors need ", expected, " bytes, the file has ", data_bytes,
                               expected > data_bytes ? " (truncated?)" : ""));
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::string_view> HeaderText(absl::string_view bytes, const std::string& path) {
  if (bytes.size() < 8) {
    return Broken(path, "HeaderTooSmall", absl::StrCat("it has ", bytes.size(), " bytes"));
  }
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  if (header_bytes > kHeaderBytesMax) {
    return Broken(path, "HeaderTooLarge",
                  absl::StrCat("a header of ", header_bytes, " bytes; at most ", kHeaderBytesMax));
  }
  if (header_bytes > bytes.size() - 8) {
    return Broken(path, "InvalidHeaderLength",
                  absl::StrCat("a header of ", header_bytes, " bytes in a file of ", bytes.size()));
  }
  return bytes.substr(8, header_bytes);
}

}  // namespace

int64_t TensorEntry::Elements() const {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

absl::StatusOr<std::shared_ptr<const SafetensorsFile>> SafetensorsFile::Open(
    const std::string& path) {
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile);
  FPO_ASSIGN_OR_RETURN(file->file_, MappedFile::Open(path));
  const absl::string_view bytes = file->file_->bytes();
  FPO_RETURN_IF_ERROR(CheckIsNoLfsPointer(bytes, path));
  FPO_ASSIGN_OR_RETURN(const absl::string_view text, HeaderText(bytes, path));
  FPO_ASSIGN_OR_RETURN(const Json header, ParseHeader(text, path));
  for (const auto& [name, value] : header.items()) {
    if (name != "__metadata__") {
      FPO_ASSIGN_OR_RETURN(file->entries_[name], ParseEntry(name, value, path));
      continue;
    }
    if (!value.is_object()) {
      return Broken(path, "InvalidHeaderDeserialization", "__metadata__ is not an object");
    }
    for (const auto& [key, text_value] : value.items()) {
      if (!text_value.is_string()) {
        return Broken(path, "InvalidHeaderDeserialization",
                      absl::StrCat("__metadata__.", key, " is not a string"));
      }
      file->metadata_[key] = text_value.get<std::string>();
    }
  }
  file->data_ = bytes.substr(8 + text.size());
  FPO_RETURN_IF_ERROR(CheckRanges(file->entries_, static_cast<int64_t>(file->data_.size()), path));
  return std::shared_ptr<const SafetensorsFile>(std::move(file));
}

absl::StatusOr<absl::string_view> SafetensorsFile::Bytes(const std::string& name) const {
  const auto it = entries_.find(name);
  if (it == entries_.end()) {
    return absl::NotFoundError(absl::StrCat(path(), " has no tensor \"", name, "\""));
  }
  return data_.substr(static_cast<size_t>(it->second.begin),
                      static_cast<size_t>(it->second.end - it->second.begin));
}

void SafetensorsFile::Forget(const std::string& name) const {
  if (const auto bytes = Bytes(name); bytes.ok()) file_->Forget(*bytes);
}

absl::StatusOr<at::Tensor> SafetensorsFile::Tensor(const std::string& name) const {
  FPO_ASSIGN_OR_RETURN(const absl::string_view bytes, Bytes(name));
  const TensorEntry& entry = entries_.at(name);
  FPO_ASSIGN_OR_RETURN(const c10::ScalarType type, TensorTypeOf(entry.dtype));
  const auto options = at::TensorOptions().dtype(type);
  const auto address = reinterpret_cast<uintptr_t>(bytes.data());
  if (bytes.empty() || address % c10::elementSize(type) != 0) {
    at::Tensor copy = at::empty(entry.shape, options);
    if (!bytes.empty()) std::memcpy(copy.mutable_data_ptr(), bytes.data(), bytes.size());
    return copy;
  }
  // The mapping is private (copy-on-write), so a caller that writes into the view does not touch
  // the file.
  auto keep = file_;
  return at::from_blob(
      const_cast<char*>(bytes.data()), entry.shape, [keep = std::move(keep)](void*) {}, options);
}

absl::StatusOr<at::Tensor> SafetensorsFile::Tensor(const std::string& name,
                                                   const std::string& dtype,
                                                   const std::vector<int64_t>& shape) const {
  const auto it = entries_.find(name);
  if (it != entries_.end()) {
    const TensorEntry& entry = it->second;
    bool fits = entry.dtype == dtype && entry.shape.size() == shape.size();
    for (size_t i = 0; fits && i < shape.size(); ++i) {
      fits = shape[i] < 0 || shape[i] == entry.shape[i];
    }
    if (!fits) {
      return absl::InvalidArgumentError(absl::StrCat(path(), ": tensor \"", name, "\" is ",
                                                     entry.dtype, " ", ShapeText(entry.shape),
                                                     ", expected ", dtype, " ", ShapeText(shape)));
    }
  }
  return Tensor(name);
}

}  // namespace fpo::train
