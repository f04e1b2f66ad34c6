#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// Writes PATH.part and gives it its name only in Finish: a reader never sees half a file. Not
// thread-safe.
class DurableFile {
 public:
  // Unavailable with the path and the reason. An older PATH.part is overwritten.
  static absl::StatusOr<std::unique_ptr<DurableFile>> Create(const std::string& path);
  ~DurableFile();  // removes an unfinished .part
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;

  absl::Status Append(absl::string_view bytes);
  absl::Status Finish();  // flush, fsync, rename, fsync of the folder
  int64_t size() const { return size_; }

 private:
  DurableFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  absl::Status Flush();
  std::string path_;
  int descriptor_;
  std::string buffer_;
  int64_t size_ = 0;
  int64_t unsynced_ = 0;
};

absl::Status WriteFileDurably(const std::string& path, absl::string_view bytes);
absl::StatusOr<std::string> ReadWholeFile(const std::string& path, int64_t bytes_max = 1 << 30);
absl::Status SyncFolder(const std::string& folder);  // makes renames inside it durable

}  // namespace fpo::train
