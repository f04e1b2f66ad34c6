#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/file_descriptor.h"
#include "train/verdicts/verdict.h"

namespace fpo::train {

// Verdicts on disk: DIR/verdicts.jsonl, which only grows. Several processes may add to it at once;
// each sees what was there when it opened the store. A line that is damaged, as after a kill in the
// middle of it, is skipped and reported: that verdict is asked for again. The first verdict of a
// key counts. Not thread-safe.
class VerdictStore {
 public:
  // Creates the folder, for its user alone, where it is missing. InvalidArgument for a store above
  // 4 GiB; errors of the disk are those of PosixError.
  static absl::StatusOr<std::unique_ptr<VerdictStore>> Open(const std::string& folder);

  const Verdict* Find(const std::string& key) const;  // nullptr: not judged yet
  // Writes and syncs, so that a verdict which was paid for is kept. One that is there already
  // stays.
  absl::Status Add(const std::string& key, const std::string& judge, const Verdict& verdict);

  int64_t size() const { return static_cast<int64_t>(verdicts_.size()); }
  int64_t damaged_lines() const { return damaged_; }
  const std::string& path() const { return path_; }

 private:
  VerdictStore(std::string path, FileDescriptor file)
      : path_(std::move(path)), file_(std::move(file)) {}
  absl::Status Load();

  const std::string path_;
  const FileDescriptor file_;
  absl::flat_hash_map<std::string, Verdict> verdicts_;
  int64_t damaged_ = 0;
};

}  // namespace fpo::train
