#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace fpo {

// Folders below which paths given by others must lie, as the kernel resolves them (openat2 with
// RESOLVE_BENEATH): no symbolic link leads out, and a path with ".." is refused. All are absolute.
// Thread-safe.
class Roots {
 public:
  explicit Roots(std::vector<std::string> folders);  // ends of "/" and doubled slashes are dropped
  bool empty() const { return folders_.empty(); }
  const std::vector<std::string>& folders() const { return folders_; }

  // OK when the path exists and leads to something below one of the roots, or to a root itself.
  // PermissionDenied: it lies outside of all, or a link leads out, whether it exists or not;
  // NotFound: it lies below a root and does not exist.
  absl::Status Check(const std::string& path) const;
  // The same for the path and every symbolic link below it, at most `entries_max` names of 8
  // levels; beyond that InvalidArgument.
  absl::Status CheckTree(const std::string& path, size_t entries_max) const;
  // The same for a path that need not exist yet and contains no link below its root at all: what
  // exists of it are real folders.
  absl::Status CheckNew(const std::string& path) const;

 private:
  // The root that the path begins with, and the rest; nullptr: none.
  const std::string* RootOf(const std::string& path, std::string* rest) const;

  std::vector<std::string> folders_;
};

}  // namespace fpo
