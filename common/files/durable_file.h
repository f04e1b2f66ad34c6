#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/files/file_descriptor.h"

namespace fpo {

// A file that readers see as it was or complete, also after a power cut: its bytes go to
// PATH.<random>.tmp, which Finish renames. Concurrent writers of one path do not share that file;
// the last one wins. Errors are those of PosixError and name PATH, or of MayPublish. Not
// thread-safe.
class DurableFile {
 public:
  static absl::StatusOr<std::unique_ptr<DurableFile>> Create(const std::string& path);
  ~DurableFile();  // removes an unfinished file
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;

  absl::Status Append(absl::string_view bytes);
  absl::Status Finish();  // flush, fsync, rename, fsync of the folder
  int64_t size() const { return size_; }

 private:
  DurableFile(std::string path, std::string unfinished, FileDescriptor file)
      : path_(std::move(path)), unfinished_(std::move(unfinished)), file_(std::move(file)) {}
  absl::Status Flush();

  const std::string path_;
  const std::string unfinished_;
  FileDescriptor file_;  // closed: finished
  std::string buffer_;
  int64_t size_ = 0;
  int64_t unsynced_ = 0;
};

// Writes these bytes as a DurableFile.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view bytes);

// Writes all of `bytes` at the descriptor's position; `path` is for the error.
absl::Status WriteAll(const FileDescriptor& file, absl::string_view bytes, const std::string& path);

// Makes renames and removals inside `folder` durable. "": the current one.
absl::Status SyncFolder(const std::string& folder);
// The same for the folder that holds `path`.
absl::Status SyncParentFolder(const std::string& path);
// Creates the folder that is to hold `path`, and those above it, where they are missing.
// Unavailable: it cannot.
absl::Status MakeParentFolder(const std::string& path);

}  // namespace fpo
