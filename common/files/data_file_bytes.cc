#include "common/files/data_file_bytes.h"

#include <fstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/data_file_name.h"
#include "common/files/lfs_pointer.h"

namespace fpo {
namespace {

constexpr size_t kBeginBytes = 256;

struct ForeignFile {
  absl::string_view begin;
  const char* says;
};

constexpr char kParquet[] = "is a Parquet file; let its name end in .parquet";
constexpr char kArrow[] = "is an Arrow file; let its name end in .arrow";

const std::vector<ForeignFile>& ForeignFiles() {
  static const std::vector<ForeignFile> files = {
      {"PAR1", kParquet},
      {"PARE", kParquet},
      {"ARROW1", kArrow},
      {absl::string_view("\xFF\xFF\xFF\xFF", 4), kArrow},
      {absl::string_view("\xFD"
                         "7zXZ\0",
                         6),
       "is packed with xz; unpack it, or pack it with zstd"},
      {"BZh", "is packed with bzip2; unpack it, or pack it with zstd"},
      {"PK\x03\x04", "is a zip archive; unpack it"},
  };
  return files;
}

absl::Status CheckTableBytes(absl::string_view bytes, const std::string& path) {
  absl::Status pointer = CheckIsNoLfsPointer(bytes, path);
  if (!pointer.ok()) return pointer;
  if (absl::StartsWith(bytes, "PAR1") || absl::StartsWith(bytes, "ARROW1") ||
      absl::StartsWith(bytes, "\xFF\xFF\xFF\xFF")) {
    return absl::OkStatus();
  }
  if (absl::StartsWith(bytes, "PARE")) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " is encrypted Parquet, which is not read; write it without encryption"));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      path, bytes.empty() ? " is empty" : " does not begin as Parquet or Arrow does",
      "; copy it again, or give a file with rows as text one of the endings .jsonl and .json"));
}

}  // namespace

absl::Status CheckDataFileBytes(absl::string_view bytes, const std::string& path) {
  if (IsTableFileName(path)) return CheckTableBytes(bytes, path);
  for (const ForeignFile& file : ForeignFiles()) {
    if (!absl::StartsWith(bytes, file.begin)) continue;
    return absl::InvalidArgumentError(absl::StrCat(path, " ", file.says));
  }
  const bool marked = absl::StartsWith(bytes, "\xFF\xFE") || absl::StartsWith(bytes, "\xFE\xFF");
  const bool wide = bytes.size() >= 4 && ((bytes[0] == '\0') != (bytes[1] == '\0')) &&
                    ((bytes[2] == '\0') != (bytes[3] == '\0'));
  if (marked || wide) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " is UTF-16, as its first bytes show; convert it: iconv -f UTF-16 -t UTF-8"));
  }
  return CheckIsNoLfsPointer(bytes, path);
}

absl::Status CheckDataFileBegin(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return absl::OkStatus();
  std::string bytes(kBeginBytes, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(file.gcount()));
  return CheckDataFileBytes(bytes, path);
}

}  // namespace fpo
