#include "coordinator/core/backup/backup_manifest.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files/durable_file.h"
#include "common/files/file_descriptor.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr char kName[] = "BACKUP";
constexpr char kHead[] = "fpo-coordinator backup 1";
constexpr int64_t kManifestBytesMax = 64 << 20;

absl::Status SyncFile(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return PosixError(errno, "open", path);
  if (fsync(file.get()) != 0) return PosixError(errno, "fsync", path);
  return absl::OkStatus();
}

std::string Body(const BackupManifest& manifest) {
  std::string text = absl::StrCat(
      kHead, "\nstore ", manifest.store_id, "\nrevision ", manifest.revision, "\ntime_unix_ms ",
      absl::ToUnixMillis(manifest.time), "\njobs ", manifest.jobs, "\n");
  for (const BackupManifest::File& file : manifest.files) {
    absl::StrAppend(&text, "file ", file.bytes, " ", ToHex(file.sha256), " ", file.name, "\n");
  }
  return text;
}

absl::Status Damaged(const std::string& path, const std::string& what) {
  return absl::DataLossError(absl::StrCat("the backup's list of files ", path, ": ", what));
}

bool IsPlainName(absl::string_view name) {
  return !name.empty() && name.find('/') == absl::string_view::npos && name != "." && name != "..";
}

// One line into its field; false when it is none.
bool TakeLine(absl::string_view line, BackupManifest* manifest) {
  const std::vector<std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 3));
  if (words.size() == 2 && words[0] == "store") {
    manifest->store_id = words[1];
    return true;
  }
  if (words.size() == 2 && words[0] == "revision") {
    return absl::SimpleAtoi(words[1], &manifest->revision);
  }
  if (words.size() == 2 && words[0] == "jobs") return absl::SimpleAtoi(words[1], &manifest->jobs);
  int64_t number = 0;
  if (words.size() == 2 && words[0] == "time_unix_ms" && absl::SimpleAtoi(words[1], &number)) {
    manifest->time = absl::FromUnixMillis(number);
    return true;
  }
  if (words.size() != 4 || words[0] != "file" || !absl::SimpleAtoi(words[1], &number)) return false;
  const absl::StatusOr<Digest> digest = DigestFromHex(words[2]);
  if (!digest.ok() || !IsPlainName(words[3])) return false;
  manifest->files.push_back({words[3], number, *digest});
  return true;
}

}  // namespace

int64_t BackupManifest::bytes() const {
  int64_t sum = 0;
  for (const File& file : files) sum += file.bytes;
  return sum;
}

absl::StatusOr<std::vector<BackupManifest::File>> DigestFiles(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_regular_file() && entry.path().filename() != kName) {
      names.push_back(entry.path().filename().string());
    }
  }
  if (error) return PosixError(error.value(), "list", folder);
  std::sort(names.begin(), names.end());
  std::vector<BackupManifest::File> files;
  for (std::string& name : names) {
    const std::string path = absl::StrCat(folder, "/", name);
    FPO_RETURN_IF_ERROR(SyncFile(path));
    BackupManifest::File file;
    FPO_ASSIGN_OR_RETURN(file.sha256, Sha256OfFile(path));
    file.bytes = static_cast<int64_t>(fs::file_size(path, error));
    if (error) return PosixError(error.value(), "stat", path);
    file.name = std::move(name);
    files.push_back(std::move(file));
  }
  return files;
}

absl::Status WriteBackupManifest(const std::string& folder, const BackupManifest& manifest) {
  const std::string body = Body(manifest);
  return WriteFileAtomically(absl::StrCat(folder, "/", kName),
                             absl::StrCat(body, "end ", ToHex(Sha256Of(body)), "\n"));
}

absl::StatusOr<BackupManifest> ReadBackupManifest(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/", kName);
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kManifestBytesMax));
  const size_t end = text.rfind("end ");
  if (end == std::string::npos ||
      text.substr(end) != absl::StrCat("end ", ToHex(Sha256Of(text.substr(0, end))), "\n")) {
    return Damaged(path, "it is damaged or incomplete");
  }
  std::vector<std::string> lines = absl::StrSplit(text.substr(0, end), '\n', absl::SkipEmpty());
  if (lines.empty() || lines.front() != kHead) return Damaged(path, "it is of another version");
  BackupManifest manifest;
  for (size_t i = 1; i < lines.size(); ++i) {
    if (!TakeLine(lines[i], &manifest)) return Damaged(path, absl::StrCat("line ", i + 1));
  }
  return manifest;
}

absl::Status CopyBackup(const std::string& backup, const BackupManifest& manifest,
                        const std::string& target) {
  std::error_code error;
  fs::create_directories(target, error);
  if (error) return PosixError(error.value(), "mkdir", target);
  for (const BackupManifest::File& file : manifest.files) {
    const std::string from = absl::StrCat(backup, "/", file.name);
    const std::string to = absl::StrCat(target, "/", file.name);
    fs::copy_file(from, to, error);
    if (error) {
      return absl::DataLossError(absl::StrCat("copy ", from, " to ", to, ": ", error.message()));
    }
  }
  FPO_ASSIGN_OR_RETURN(const std::vector<BackupManifest::File> copied, DigestFiles(target));
  for (size_t i = 0; i < manifest.files.size(); ++i) {
    if (i < copied.size() && copied[i] == manifest.files[i]) continue;
    return absl::DataLossError(absl::StrCat("the backup's file ", backup, "/",
                                            manifest.files[i].name,
                                            " is not what was backed up: use another backup"));
  }
  return absl::OkStatus();
}

}  // namespace fpo::coordinator
