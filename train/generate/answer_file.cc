#include "train/generate/answer_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/outputs/publish.h"
#include "common/status_macros.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kSettingsBytesMax = 1 << 20;
constexpr int64_t kAnswersBytesMax = int64_t{4} << 30;
constexpr absl::string_view kListSuffix = ".json";
constexpr absl::string_view kListBegin = "[\n", kListEnd = "\n]\n", kListNext = ",\n",
                            kEmptyList = "[\n]\n";

std::string SettingsPath(const std::string& path) { return path + ".settings.json"; }

// "" when both are the same.
std::string Differences(const std::string& stored, const std::string& wanted) {
  const Json before = Json::parse(stored, nullptr, false),
             now = Json::parse(wanted, nullptr, false);
  if (!before.is_object()) return "they cannot be read";
  std::vector<std::string> parts;
  for (const auto& [key, value] : now.items()) {
    const Json other = before.value(key, Json());
    if (other != value) {
      parts.push_back(absl::StrCat(key, ": ", other.dump(), " there, ", value.dump(), " now"));
    }
  }
  for (const auto& [key, value] : before.items()) {
    if (!now.contains(key)) parts.push_back(absl::StrCat(key, ": ", value.dump(), " there only"));
  }
  return absl::StrJoin(parts, "; ");
}

absl::Status WriteSettings(const FileDescriptor& file, const std::string& path,
                           const std::string& settings) {
  const bool empty = ftruncate(file.get(), 0) == 0 && lseek(file.get(), 0, SEEK_SET) == 0;
  if (!empty) return AsStorageError(PosixError(errno, "truncate", path));
  FPO_RETURN_IF_ERROR(AsStorageError(WriteAll(file, settings + "\n", path)));
  if (fsync(file.get()) != 0) return AsStorageError(PosixError(errno, "sync", path));
  return AsStorageError(SyncParentFolder(path));
}

absl::StatusOr<FileDescriptor> OpenLocked(const std::string& name) {
  FileDescriptor file(open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!file.is_open()) return AsStorageError(PosixError(errno, "create", name));
  if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
  return absl::FailedPreconditionError("locked");
}

// An earlier attempt that is stopped may still have the lock. Who has the folder (OutputLock) puts
// a copy in the place of its file: its descriptors lead to files that have no name any more.
absl::StatusOr<FileDescriptor> LockFile(const std::string& path, const std::string& name) {
  absl::StatusOr<FileDescriptor> file = OpenLocked(name);
  if (absl::IsFailedPrecondition(file.status()) && IsGuarded(name)) {
    FPO_ASSIGN_OR_RETURN(const std::string stored, ReadFile(name, kSettingsBytesMax));
    FPO_RETURN_IF_ERROR(AsStorageError(WriteFileAtomically(name, stored)));
    file = OpenLocked(name);
  }
  if (!absl::IsFailedPrecondition(file.status())) return file;
  return absl::FailedPreconditionError(
      absl::StrCat("another process is writing ", path, "; wait for it, or name another --out"));
}

// The file of settings, locked for as long as it is open.
absl::StatusOr<FileDescriptor> LockSettings(const std::string& path, const std::string& settings) {
  const std::string name = SettingsPath(path);
  std::error_code error;
  const size_t empty = absl::EndsWith(path, kListSuffix) ? kEmptyList.size() : 0;
  const bool answers =
      std::filesystem::exists(path, error) && std::filesystem::file_size(path, error) > empty;
  if (answers && !std::filesystem::exists(name, error)) {
    return absl::AlreadyExistsError(absl::StrCat(path, " exists and has no ", name,
                                                 " beside it, so it is neither resumed nor "
                                                 "overwritten; name another --out"));
  }
  FPO_ASSIGN_OR_RETURN(FileDescriptor file, LockFile(path, name));
  if (!answers) {  // settings without answers decide nothing
    FPO_RETURN_IF_ERROR(WriteSettings(file, name, settings));
    return file;
  }
  FPO_ASSIGN_OR_RETURN(const std::string stored, ReadFile(name, kSettingsBytesMax));
  const std::string differences = Differences(stored, settings);
  if (differences.empty()) return file;
  return absl::FailedPreconditionError(
      absl::StrCat(path, " holds answers of other settings (", differences,
                   "); name another --out, or remove it and ", name));
}

}  // namespace

bool AnswerFile::IsList() const { return absl::EndsWith(path_, kListSuffix); }

std::string AnswerFile::TextOf(const std::vector<std::string>& rows) const {
  if (!IsList()) return rows.empty() ? "" : absl::StrCat(absl::StrJoin(rows, "\n"), "\n");
  if (rows.empty()) return std::string(kEmptyList);
  return absl::StrCat(kListBegin, absl::StrJoin(rows, kListNext), kListEnd);
}

absl::StatusOr<std::unique_ptr<AnswerFile>> AnswerFile::Open(const std::string& path,
                                                             const std::string& settings) {
  FPO_ASSIGN_OR_RETURN(FileDescriptor lock, LockSettings(path, settings));
  std::unique_ptr<AnswerFile> file(new AnswerFile(path, std::move(lock)));
  FPO_RETURN_IF_ERROR(file->Load());
  return file;
}

absl::Status AnswerFile::Load() {
  std::string text;
  std::error_code error;
  if (std::filesystem::exists(path_, error)) {
    FPO_ASSIGN_OR_RETURN(text, ReadFile(path_, kAnswersBytesMax));
  }
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  size_t last = lines.size();
  while (last > 0 && (lines[last - 1].empty() || (IsList() && lines[last - 1] == "]"))) --last;
  for (size_t i = 0; i < last; ++i) {
    absl::string_view line = lines[i];
    if (line.empty() || (IsList() && line == "[")) continue;
    if (IsList()) absl::ConsumeSuffix(&line, ",");
    // A line without its end is torn, even where it looks whole.
    const bool whole = IsList() || i + 1 < lines.size();
    if (whole && Json::accept(line.begin(), line.end())) {
      rows_.emplace_back(line);
    } else if (i + 1 < last) {
      return absl::DataLossError(
          absl::StrCat(path_, ":", i + 1, ": no answer; repair or remove the file"));
    }
  }
  return Replace();
}

absl::Status AnswerFile::Replace() {
  const std::string text = TextOf(rows_);
  FPO_RETURN_IF_ERROR(AsStorageError(WriteFileAtomically(path_, text)));
  file_ = FileDescriptor(open(path_.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file_.is_open()) return AsStorageError(PosixError(errno, "open", path_));
  const size_t tail = IsList() ? kListEnd.size() : 0;
  end_ = static_cast<int64_t>(text.size() - tail);
  return absl::OkStatus();
}

absl::Status AnswerFile::Append(absl::string_view row) {
  const std::string text =
      IsList() ? absl::StrCat(rows_.empty() ? kListBegin.substr(1) : kListNext, row, kListEnd)
               : absl::StrCat(row, "\n");
  if (lseek(file_.get(), end_, SEEK_SET) < 0) {
    return AsStorageError(PosixError(errno, "seek in", path_));
  }
  FPO_RETURN_IF_ERROR(AsStorageError(WriteAll(file_, text, path_)));
  if (fdatasync(file_.get()) != 0) return AsStorageError(PosixError(errno, "sync", path_));
  end_ += static_cast<int64_t>(text.size() - (IsList() ? kListEnd.size() : 0));
  rows_.emplace_back(row);
  return absl::OkStatus();
}

absl::Status AnswerFile::Reorder(const std::vector<size_t>& order) {
  std::vector<std::string> rows;
  for (const size_t place : order) rows.push_back(rows_[place]);
  rows_ = std::move(rows);
  return Replace();
}

}  // namespace fpo::train
