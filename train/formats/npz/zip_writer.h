#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/files/durable_file.h"
#include "train/formats/npz/zip_archive.h"

namespace fpo::train {

// Writes stored members; zip64 where a size or an offset needs it. Atomic. Not thread-safe.
class ZipWriter {
 public:
  static absl::StatusOr<ZipWriter> Create(const std::string& path);
  absl::Status Add(const std::string& name, absl::string_view bytes);
  absl::Status Finish();

 private:
  std::unique_ptr<DurableFile> file_;
  std::vector<ZipMember> members_;
};

}  // namespace fpo::train
