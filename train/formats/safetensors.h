#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "train/formats/mapped_file.h"

namespace fpo::train {

// One tensor of a safetensors file, as its header describes it.
struct TensorEntry {
  std::string dtype;  // F32 | BF16 | F16 | F64 | I64 | I32 | U8 | ...
  std::vector<int64_t> shape;
  int64_t begin = 0;  // byte range within the data part
  int64_t end = 0;

  int64_t Elements() const;
};

// A memory-mapped .safetensors file, validated whole when opened: header at most 100 MB, UTF-8
// JSON, no duplicate names, sizes without overflow, byte ranges that follow each other without gap
// or overlap and end with the file. Thread-safe.
class SafetensorsFile {
 public:
  // NotFound, Unavailable, or DataLoss whose message names the file, the tensor and the rule
  // ("HeaderTooLarge", "InvalidOffset", ...).
  static absl::StatusOr<std::shared_ptr<const SafetensorsFile>> Open(const std::string& path);

  const std::string& path() const { return file_->path(); }
  absl::Status CheckUnchanged() const { return file_->CheckUnchanged(); }         // MappedFile
  const std::map<std::string, TensorEntry>& entries() const { return entries_; }  // by name
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  bool Contains(const std::string& name) const { return entries_.count(name) != 0; }

  // The raw bytes; NotFound names tensor and file.
  absl::StatusOr<absl::string_view> Bytes(const std::string& name) const;

  void Forget(const std::string& name) const;  // MappedFile, of one tensor

  // A CPU tensor on the mapping itself, kept alive by it; nothing is copied unless the file stores
  // the bytes unaligned for their type.
  absl::StatusOr<at::Tensor> Tensor(const std::string& name) const;

  // The same, with dtype and shape checked; InvalidArgument shows both. -1 in `shape` is any size.
  absl::StatusOr<at::Tensor> Tensor(const std::string& name, const std::string& dtype,
                                    const std::vector<int64_t>& shape) const;

 private:
  SafetensorsFile() = default;
  std::shared_ptr<const MappedFile> file_;
  absl::string_view data_;
  std::map<std::string, TensorEntry> entries_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace fpo::train
