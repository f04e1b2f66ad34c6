#include "worker/core/reference/record_store.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/backoff.h"
#include "common/error_info.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/reference/record_file.h"
#include "common/status_macros.h"
#include "common/waits/stop_wait.h"
#include "worker/core/reference/download.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;

// A later stream may deliver what this one did not. A damaged frame counts: its records were not
// taken; Internal is gRPC's code for a message that it could not decode.
bool MayResume(const absl::Status& status) {
  return IsRetryable(status) || absl::IsDataLoss(status) || absl::IsInternal(status);
}

void Touch(const std::string& path) {
  std::error_code ignored;
  fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
}

bool HasKeys(const RecordFile& file, const std::vector<Digest>& keys) {
  if (file.size() != static_cast<int64_t>(keys.size())) return false;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (file.KeyAt(static_cast<int64_t>(i)) != keys[i]) return false;
  }
  return true;
}

}  // namespace

std::string RecordStore::PathOf(const Digest& manifest) const {
  return absl::StrCat(options_.folder, "/", ToHex(manifest), ".fpr");
}

absl::StatusOr<std::string> RecordStore::Find(const RecordList& list) {
  const std::string path = PathOf(list.manifest);
  std::error_code error;
  if (!fs::exists(path, error)) return absl::NotFoundError(path);
  const absl::StatusOr<std::unique_ptr<RecordFile>> file = RecordFile::Open(path);
  if (!file.ok() || !((*file)->recipe() == list.recipe) || !HasKeys(**file, list.keys)) {
    fs::remove(path, error);
    return absl::NotFoundError(absl::StrCat(path, " was damaged and is removed"));
  }
  Touch(path);
  return path;
}

std::vector<std::unique_ptr<RecordFile>> RecordStore::LocalFiles(const RecordList& list) const {
  std::vector<std::pair<fs::file_time_type, std::string>> candidates;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options_.folder, error)) {
    if (entry.path().extension() != ".fpr") continue;
    const absl::StatusOr<Recipe> recipe = RecordFile::PeekRecipe(entry.path().string());
    if (!recipe.ok() || !(*recipe == list.recipe)) continue;
    candidates.emplace_back(entry.last_write_time(error), entry.path().string());
  }
  std::sort(candidates.rbegin(), candidates.rend());
  candidates.resize(std::min(candidates.size(), static_cast<size_t>(options_.local_files_max)));
  std::vector<std::unique_ptr<RecordFile>> files;
  for (const auto& [used, path] : candidates) {
    absl::StatusOr<std::unique_ptr<RecordFile>> file = RecordFile::Open(path);
    if (file.ok()) {
      files.push_back(*std::move(file));
    } else if (absl::IsDataLoss(file.status())) {
      fs::remove(path, error);
    }
  }
  return files;
}

absl::Status RecordStore::Stream(Download* download,
                                 const std::function<void(int64_t)>& on_record_count,
                                 std::stop_token stop,
                                 const std::function<void(const absl::Status&)>& on_broken) {
  Backoff backoff(options_.backoff);
  for (int broken = 0;;) {
    const int64_t before = download->cursor();
    const absl::Status status = cache_->PullManifest(
        download->StartStream(),
        [&](const RecordFrame& frame) {
          const absl::Status taken = download->Take(frame);
          on_record_count(download->cursor());
          return taken;
        },
        stop);
    const absl::Status ended = status.ok() ? download->CheckEnd() : status;
    if (ended.ok()) return ended;
    broken = download->cursor() > before ? 1 : broken + 1;
    if (!MayResume(ended) || broken > options_.broken_streams_max) return ended;
    on_broken(ended);
    if (!WaitUnlessStopped(stop, backoff.Next())) return absl::CancelledError("stopped");
  }
}

absl::StatusOr<std::string> RecordStore::Pull(
    const RecordList& list, const std::function<void(int64_t)>& on_record_count,
    std::stop_token stop, const std::function<void(const absl::Status&)>& on_broken) {
  std::error_code error;
  fs::create_directories(options_.folder, error);
  if (error) return PosixError(error.value(), "mkdir", options_.folder);
  const std::string path = PathOf(list.manifest);
  // A unique name: two jobs may pull the same manifest at once.
  const std::string own = absl::StrCat(path, ".", RandomId(4));
  FPO_ASSIGN_OR_RETURN(std::unique_ptr<RecordFileWriter> writer,
                       RecordFileWriter::Create(own, list.recipe));
  Download download(list, LocalFiles(list), std::move(writer));
  FPO_RETURN_IF_ERROR(download.TakeLocal());
  if (download.cursor() > 0) on_record_count(download.cursor());
  if (!download.complete())
    FPO_RETURN_IF_ERROR(Stream(&download, on_record_count, stop, on_broken));
  FPO_RETURN_IF_ERROR(download.Write());
  fs::rename(own, path, error);
  if (error) return PosixError(error.value(), "rename", path);
  FPO_RETURN_IF_ERROR(SyncParentFolder(path));
  MakeRoom(path);
  return path;
}

void RecordStore::MakeRoom(const std::string& keep) const {
  struct Kept {
    fs::file_time_type used;
    std::string path;
    int64_t bytes;
  };
  std::vector<Kept> files;
  int64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options_.folder, error)) {
    const int64_t size = static_cast<int64_t>(entry.file_size(error));
    if (error) continue;
    bytes += size;
    files.push_back({entry.last_write_time(error), entry.path().string(), size});
  }
  std::sort(files.begin(), files.end(),
            [](const Kept& a, const Kept& b) { return a.used < b.used; });
  const auto recent = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (const Kept& file : files) {
    if (bytes <= options_.bytes_max || file.used > recent) return;
    if (file.path == keep) continue;
    if (fs::remove(file.path, error)) bytes -= file.bytes;
  }
}

}  // namespace fpo::worker
