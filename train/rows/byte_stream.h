#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace fpo::train {

// The bytes of a file, unpacked if they are gzip or Zstandard: its first bytes decide, not its
// name. Not thread-safe.
class ByteStream {
 public:
  // NotFound, PermissionDenied, Unavailable; InvalidArgument, with a remedy, for a file of another
  // kind (xz, bzip2, zip, Parquet, Arrow, UTF-16); DataLoss for a Git LFS pointer.
  static absl::StatusOr<std::unique_ptr<ByteStream>> Open(const std::string& path);
  virtual ~ByteStream() = default;

  // Up to `size` bytes; 0 at the end. DataLoss, with the offset in the file, when the packed stream
  // is damaged, ends early or is followed by something else.
  virtual absl::StatusOr<size_t> Read(char* bytes, size_t size) = 0;
};

}  // namespace fpo::train
