#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/files/file_descriptor.h"

namespace fpo {

// OK for a name such as "model/config.json": relative, with slashes, without empty parts, "." and
// "..", at most 1,024 bytes. InvalidArgument otherwise.
absl::Status CheckRelativeName(absl::string_view name);

// A folder through which only what is truly below it can be reached: names are checked, and no
// symbolic link below it is followed, so neither a name from outside nor a planted link escapes.
// Thread-safe.
class OpenFolder {
 public:
  struct Entry {
    std::string name;  // relative to this folder
    int64_t bytes = 0;

    bool operator==(const Entry&) const = default;
  };

  // NotFound, PermissionDenied, FailedPrecondition (not a folder). `path` itself may be a link.
  static absl::StatusOr<OpenFolder> Open(const std::string& path);
  // Creates it, and its parents, when absent.
  static absl::StatusOr<OpenFolder> Make(const std::string& path);

  // The regular files below the folder `inside`, by name. Skips links and other kinds; a missing
  // folder has none. ResourceExhausted beyond `files_max` files or 16 levels.
  absl::StatusOr<std::vector<Entry>> List(const std::string& inside, size_t files_max) const;
  // Its size. NotFound; FailedPrecondition when it is not a regular file.
  absl::StatusOr<int64_t> SizeOf(const std::string& name) const;
  absl::StatusOr<FileDescriptor> OpenToRead(const std::string& name) const;
  // Opens for reading and writing without truncating; creates the file and its folders when absent.
  absl::StatusOr<FileDescriptor> OpenToWrite(const std::string& name) const;
  // Renames within one folder below this one, durably. Replaces `to`.
  absl::Status Rename(const std::string& from, const std::string& to) const;

  const std::string& path() const { return path_; }

 private:
  OpenFolder(std::string path, FileDescriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  absl::StatusOr<FileDescriptor> OpenBelow(const std::string& name, int flags) const;
  absl::StatusOr<FileDescriptor> ParentOf(const std::string& name, bool make) const;

  std::string path_;
  FileDescriptor fd_;
};

}  // namespace fpo
