#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/files/file_descriptor.h"

namespace fpo::train {

// A whole file mapped read-only (copy-on-write pages, so that writing to a tensor view does not
// touch the file). Shared by every view into it and unmapped with the last one. Thread-safe.
class MappedFile {
 public:
  // NotFound or Unavailable, with the path. A file of size 0 maps to an empty view.
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  absl::string_view bytes() const {
    return absl::string_view(static_cast<const char*>(data_), size_);
  }
  const std::string& path() const { return path_; }
  // Pages that were not copied yet show what is written into the file later. InvalidArgument: it
  // was written, cut or replaced since Open.
  absl::Status CheckUnchanged() const;
  // Lets go of the memory of whole pages of `part`, which are read again when they are used. What
  // was written to them is lost.
  void Forget(absl::string_view part) const;

 private:
  struct Stamp {
    int64_t size = 0;
    int64_t modified_ns = 0;
    int64_t changed_ns = 0;  // also by a rename over it

    bool operator==(const Stamp&) const = default;
  };

  MappedFile(std::string path, FileDescriptor file)
      : path_(std::move(path)), file_(std::move(file)) {}
  static Stamp StampOf(const struct stat& info);

  std::string path_;
  FileDescriptor file_;
  Stamp stamp_;
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace fpo::train
