#include "worker/agent/core/record_store.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/backoff.h"
#include "common/error_info.h"
#include "common/posix_status.h"
#include "common/reference/record_file.h"
#include "common/status_macros.h"
#include "worker/agent/core/stop_wait.h"

namespace fpo::agent {
namespace {

namespace fs = std::filesystem;

// The records of one download as far as they came; survives broken streams.
class Download {
 public:
  Download(const RecordList& list, std::unique_ptr<RecordFileWriter> writer)
      : list_(list), writer_(std::move(writer)) {}

  int64_t cursor() const { return cursor_; }
  void StartStream() { stream_digest_ = Sha256(); }

  absl::Status Take(const RecordFrame& frame) {
    if (frame.first_ordinal != cursor_) {
      return absl::DataLossError(absl::StrCat("the cache sent ordinal ", frame.first_ordinal,
                                              " of manifest ", ToHex(list_.manifest), " where ",
                                              cursor_, " was due"));
    }
    stream_digest_.Update(frame.packed);
    FPO_ASSIGN_OR_RETURN(const std::vector<PackedRecord> records, Unpack(frame.packed));
    for (const PackedRecord& record : records) {
      if (cursor_ >= static_cast<int64_t>(list_.keys.size()) ||
          record.key != list_.keys[static_cast<size_t>(cursor_)]) {
        return absl::DataLossError(absl::StrCat("record ", cursor_, " of manifest ",
                                                ToHex(list_.manifest), " has the wrong key ",
                                                ToHex(record.key)));
      }
      FPO_RETURN_IF_ERROR(writer_->Add(record));
      ++cursor_;
    }
    if (frame.sha256_of_stream && stream_digest_.Finish() != *frame.sha256_of_stream) {
      return absl::InternalError(absl::StrCat("the download of manifest ", ToHex(list_.manifest),
                                              " does not match the cache's digest over it"));
    }
    return absl::OkStatus();
  }

  absl::Status Finish() {
    if (cursor_ != static_cast<int64_t>(list_.keys.size())) {
      return absl::UnavailableError(absl::StrCat("the cache ended manifest ", ToHex(list_.manifest),
                                                 " after ", cursor_, " of ", list_.keys.size(),
                                                 " records"));
    }
    return absl::OkStatus();
  }

  absl::Status Write() { return writer_->Finish(); }

 private:
  const RecordList& list_;
  const std::unique_ptr<RecordFileWriter> writer_;
  Sha256 stream_digest_;
  int64_t cursor_ = 0;
};

// A later stream may bring what this one did not. A damaged frame counts: its records were not
// taken.
bool MayResume(const absl::Status& status) {
  return IsRetryable(status) || absl::IsDataLoss(status);
}

void Touch(const std::string& path) {
  std::error_code ignored;
  fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
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
  if (!file.ok() || !((*file)->recipe() == list.recipe) ||
      (*file)->size() != static_cast<int64_t>(list.keys.size())) {
    fs::remove(path, error);
    return absl::NotFoundError(absl::StrCat(path, " was damaged and is removed"));
  }
  Touch(path);
  return path;
}

absl::StatusOr<std::string> RecordStore::Pull(const RecordList& list,
                                              const std::function<void(int64_t)>& on_record_count,
                                              std::stop_token stop) {
  std::error_code error;
  fs::create_directories(options_.folder, error);
  if (error) return PosixError(error.value(), "mkdir", options_.folder);
  const std::string path = PathOf(list.manifest);
  // A name of its own: two jobs may pull the same manifest at once.
  const std::string own = absl::StrCat(path, ".", RandomId(4));
  FPO_ASSIGN_OR_RETURN(std::unique_ptr<RecordFileWriter> writer,
                       RecordFileWriter::Create(own, list.recipe));
  Download download(list, std::move(writer));
  Backoff backoff({.first = absl::Milliseconds(100), .most = absl::Seconds(5)});
  for (int broken = 0;;) {
    const int64_t before = download.cursor();
    download.StartStream();
    absl::Status status = cache_->PullManifest(
        list.manifest, before,
        [&](const RecordFrame& frame) {
          const absl::Status taken = download.Take(frame);
          on_record_count(download.cursor());
          return taken;
        },
        stop);
    if (status.ok()) status = download.Finish();
    if (status.ok()) break;
    broken = download.cursor() > before ? 1 : broken + 1;
    if (!MayResume(status) || broken > options_.broken_streams_max) return status;
    if (!WaitUnlessStopped(stop, backoff.Next())) return absl::CancelledError("stopped");
  }
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

}  // namespace fpo::agent
