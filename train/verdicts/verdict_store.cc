#include "train/verdicts/verdict_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

constexpr int64_t kStoreBytesMax = int64_t{4} << 30;

// Holds the file's lock for its lifetime.
class VerdictLock {
 public:
  static absl::StatusOr<VerdictLock> Take(const FileDescriptor& file, const std::string& path) {
    while (flock(file.get(), LOCK_EX) != 0) {
      if (errno != EINTR) return PosixError(errno, "lock", path);
    }
    return VerdictLock(file.get());
  }
  VerdictLock(VerdictLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  VerdictLock& operator=(VerdictLock&&) = delete;
  ~VerdictLock() {
    if (file_ >= 0) flock(file_, LOCK_UN);
  }

 private:
  explicit VerdictLock(int file) : file_(file) {}
  int file_;
};

// Whether the last line has its end: not after a process was killed while writing it.
absl::StatusOr<bool> EndsWithLine(const FileDescriptor& file, const std::string& path) {
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return PosixError(errno, "look at", path);
  if (status.st_size == 0) return true;
  char last = 0;
  if (pread(file.get(), &last, 1, status.st_size - 1) != 1) {
    return PosixError(errno, "read", path);
  }
  return last == '\n';
}

}  // namespace

absl::StatusOr<std::unique_ptr<VerdictStore>> VerdictStore::Open(const std::string& folder) {
  const bool is_new = !std::filesystem::exists(folder);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return PosixError(error.value(), "create", folder);
  if (is_new && chmod(folder.c_str(), 0700) != 0) return PosixError(errno, "protect", folder);
  const std::string path = folder + "/verdicts.jsonl";
  FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!file.is_open()) return PosixError(errno, "open", path);
  FPO_RETURN_IF_ERROR(SyncFolder(folder));
  std::unique_ptr<VerdictStore> store(new VerdictStore(path, std::move(file)));
  FPO_RETURN_IF_ERROR(store->Load());
  return store;
}

absl::Status VerdictStore::Load() {
  FPO_ASSIGN_OR_RETURN(const VerdictLock lock,
                       VerdictLock::Take(file_, path_));  // no line half there
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path_, kStoreBytesMax));
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (line.empty()) continue;
    absl::StatusOr<StoredVerdict> stored = ParseVerdictLine(line);
    if (!stored.ok()) {
      ++damaged_;
      continue;
    }
    verdicts_.emplace(std::move(stored->key), std::move(stored->verdict));
  }
  return absl::OkStatus();
}

const Verdict* VerdictStore::Find(const std::string& key) const {
  const auto found = verdicts_.find(key);
  return found == verdicts_.end() ? nullptr : &found->second;
}

absl::Status VerdictStore::Add(const std::string& key, const std::string& judge,
                               const Verdict& verdict) {
  if (verdicts_.contains(key)) return absl::OkStatus();
  FPO_ASSIGN_OR_RETURN(const VerdictLock lock, VerdictLock::Take(file_, path_));
  FPO_ASSIGN_OR_RETURN(const bool whole, EndsWithLine(file_, path_));
  const std::string line = absl::StrCat(whole ? "" : "\n", VerdictLine(key, judge, verdict), "\n");
  FPO_RETURN_IF_ERROR(WriteAll(file_, line, path_));
  if (fdatasync(file_.get()) != 0) return PosixError(errno, "sync", path_);
  verdicts_.emplace(key, verdict);
  return absl::OkStatus();
}

}  // namespace fpo::train
