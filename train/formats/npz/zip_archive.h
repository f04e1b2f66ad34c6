#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "train/formats/mapped_file.h"

namespace fpo::train {

// A member as the central directory describes it.
struct ZipMember {
  std::string name;
  uint16_t method = 0;  // 0 stored, 8 deflate
  uint32_t crc = 0;
  int64_t compressed = 0;
  int64_t size = 0;
  int64_t header = 0;  // offset of the local header
};

// A zip file read through its central directory (zip64 too). Thread-safe.
class ZipArchive {
 public:
  static absl::StatusOr<ZipArchive> Open(const std::string& path);
  const std::vector<ZipMember>& members() const { return members_; }
  // The member's bytes, decompressed, size and CRC checked. DataLoss otherwise.
  absl::StatusOr<std::string> Read(const ZipMember& member) const;

 private:
  std::shared_ptr<const MappedFile> file_;
  std::vector<ZipMember> members_;
};

}  // namespace fpo::train
