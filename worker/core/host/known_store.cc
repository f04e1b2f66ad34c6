#include "worker/core/host/known_store.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/error_info.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo::worker {
namespace {

constexpr int64_t kMarkBytesMax = 4096;
constexpr size_t kStoreIdBytesMax = 253;
constexpr char kMarkFile[] = "/store";
constexpr char kSpool[] = "/spool";

// "ID REVISION"
absl::StatusOr<StoreMark> ReadMark(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path, kMarkBytesMax);
  if (absl::IsNotFound(text.status())) return StoreMark{};
  FPO_RETURN_IF_ERROR(text.status());
  const std::vector<std::string> words = absl::StrSplit(absl::StripAsciiWhitespace(*text), ' ');
  StoreMark mark;
  if (words.size() != 2 || words[0].empty() || words[0].size() > kStoreIdBytesMax ||
      !absl::SimpleAtoi(words[1], &mark.revision)) {
    return absl::DataLossError(
        absl::StrCat(path,
                     " does not hold the id and revision of the coordinator's store. With "
                     "fpo-worker --forget-store the worker takes the next coordinator's"));
  }
  mark.id = words[0];
  return mark;
}

absl::Status WrongStore(const std::string& what, const StoreMark& known, const StoreMark& offered) {
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat("the coordinator ", what)),
      {.reason = ErrorReason::kWrongStore,
       .hint = "start the coordinator with the --data that it had; to work for another store on "
               "purpose: fpo-worker --forget-store",
       .ids = {offered.id, known.id}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<KnownStore>> KnownStore::Open(const std::string& work_dir) {
  std::unique_ptr<KnownStore> known(new KnownStore(work_dir + kMarkFile));
  FPO_ASSIGN_OR_RETURN(StoreMark mark, ReadMark(known->path_));
  absl::MutexLock lock(&known->mutex_);
  absl::MutexLock file_lock(&known->file_mutex_);
  known->mark_ = known->saved_ = std::move(mark);
  return known;
}

StoreMark KnownStore::mark() const {
  absl::MutexLock lock(&mutex_);
  return mark_;
}

absl::Status KnownStore::Check(const StoreMark& offered) const {
  const StoreMark known = mark();
  if (known.id.empty() || offered.id.empty()) return absl::OkStatus();
  if (offered.id != known.id) {
    return WrongStore(absl::StrCat("has the jobs' store ", offered.id,
                                   ", and this worker works for store ", known.id),
                      known, offered);
  }
  if (offered.revision >= known.revision) return absl::OkStatus();
  return WrongStore(absl::StrCat("has an older copy of the jobs' store: it ends at revision ",
                                 offered.revision, ", and this worker has seen ", known.revision),
                    known, offered);
}

void KnownStore::Saw(const StoreMark& accepted) {
  if (accepted.id.empty()) return;
  absl::MutexLock lock(&mutex_);
  mark_ = accepted;
}

void KnownStore::SawRevision(uint64_t revision) {
  absl::MutexLock lock(&mutex_);
  if (!mark_.id.empty()) mark_.revision = std::max(mark_.revision, revision);
}

absl::Status KnownStore::Save() {
  const StoreMark now = mark();
  absl::MutexLock lock(&file_mutex_);
  if (now == saved_) return absl::OkStatus();
  FPO_RETURN_IF_ERROR(WriteFileAtomically(path_, absl::StrCat(now.id, " ", now.revision, "\n")));
  saved_ = now;
  return absl::OkStatus();
}

absl::StatusOr<StoreMark> KnownStore::Forget(const std::string& work_dir) {
  namespace fs = std::filesystem;
  const std::string path = work_dir + kMarkFile;
  if (!fs::exists(path)) {
    return absl::NotFoundError(absl::StrCat(work_dir, " knows no coordinator's store"));
  }
  const absl::StatusOr<StoreMark> read = ReadMark(path);
  StoreMark mark = read.ok() ? *read : StoreMark{"unknown", 0};
  std::error_code error;
  if (fs::exists(work_dir + kSpool)) {
    const std::string aside = absl::StrCat(work_dir, kSpool, "-of-", mark.id);
    fs::rename(work_dir + kSpool, aside, error);
    if (error) return PosixError(error.value(), "rename to", aside);
  }
  fs::remove(path, error);
  if (error) return PosixError(error.value(), "remove", path);
  FPO_RETURN_IF_ERROR(SyncParentFolder(path));
  return mark;
}

}  // namespace fpo::worker
