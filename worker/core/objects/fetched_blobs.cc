#include "worker/core/objects/fetched_blobs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/files/durable_file.h"
#include "common/files/file_descriptor.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "common/waits/steady_wait.h"
#include "nlohmann/json.hpp"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kRecordBytesMax = 4096;
constexpr absl::Duration kStopCheck = absl::Seconds(1);
constexpr auto kPartialAge = std::chrono::hours(7 * 24);

std::string NameOfRecord(const ObjectName& name) {
  return ToHex(Sha256Of(absl::StrCat(name.bucket, "/", name.key)));
}

// Reads what has arrived so far into the digest; its length.
absl::StatusOr<int64_t> Digested(int file, const std::string& path, Sha256* sha) {
  std::string buffer(1 << 20, '\0');
  for (int64_t done = 0;;) {
    const ssize_t got = pread(file, buffer.data(), buffer.size(), done);
    if (got < 0) return PosixError(errno, "read", path);
    if (got == 0) return done;
    sha->Update(absl::string_view(buffer.data(), static_cast<size_t>(got)));
    done += got;
  }
}

absl::Status CheckSpace(const std::string& folder, int64_t bytes, int64_t reserve) {
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error || static_cast<int64_t>(space.available) >= bytes + reserve) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("there are ", space.available, " bytes free in ", folder, ", and ", bytes,
                   " are to be fetched, with ", reserve, " to be left free"));
}

}  // namespace

FetchedBlobs::FetchedBlobs(Options options, ObjectStore* store)
    : options_(std::move(options)), store_(store) {
  std::error_code ignored;
  for (const char* part : {"blobs", "objects", "partial"}) {
    fs::create_directories(fs::path(options_.folder) / part, ignored);
  }
  const auto oldest = fs::file_time_type::clock::now() - kPartialAge;
  for (const auto& entry : fs::directory_iterator(options_.folder + "/partial", ignored)) {
    std::error_code error;
    if (entry.last_write_time(error) < oldest && !error) fs::remove(entry.path(), error);
  }
}

std::string FetchedBlobs::BlobPath(const Digest& sha256) const {
  return absl::StrCat(options_.folder, "/blobs/", ToHex(sha256));
}

std::shared_ptr<void> FetchedBlobs::Hold(const Digest& sha256) {
  {
    absl::MutexLock lock(&mutex_);
    ++held_[sha256];
  }
  return {nullptr, [this, sha256](void*) {
            absl::MutexLock lock(&mutex_);
            if (--held_[sha256] == 0) held_.erase(sha256);
          }};
}

// NotFound: that version of the object was never fetched, or its content was removed.
absl::StatusOr<FetchedBlob> FetchedBlobs::Find(const std::string& record,
                                               const ObjectInfo& listed) {
  FPO_ASSIGN_OR_RETURN(
      const std::string text,
      ReadFile(absl::StrCat(options_.folder, "/objects/", record), kRecordBytesMax));
  FPO_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(text));
  std::string etag, hex;
  FPO_RETURN_IF_ERROR(ReadMember(json, "etag", &etag));
  FPO_RETURN_IF_ERROR(ReadMember(json, "sha256", &hex));
  if (etag != listed.etag || etag.empty()) return absl::NotFoundError("another version");
  FetchedBlob blob;
  FPO_ASSIGN_OR_RETURN(blob.sha256, DigestFromHex(hex));
  blob.hold = Hold(blob.sha256);
  blob.path = BlobPath(blob.sha256);
  blob.bytes = listed.bytes;
  blob.was_here = true;
  std::error_code error;
  const auto bytes = fs::file_size(blob.path, error);
  if (error || static_cast<int64_t>(bytes) != listed.bytes) return absl::NotFoundError("removed");
  return blob;
}

absl::StatusOr<FetchedBlob> FetchedBlobs::Fetch(const ObjectName& name, const ObjectInfo& listed,
                                                const std::function<void(int64_t)>& on_bytes,
                                                std::stop_token stop) {
  const std::string record = NameOfRecord(name);
  {
    absl::MutexLock lock(&mutex_);
    const auto is_free = [&] {
      mutex_.AssertHeld();
      return on_their_way_.count(record) == 0;
    };
    while (!AwaitFor(&mutex_, absl::Condition(&is_free), kStopCheck)) {
      if (stop.stop_requested()) return absl::CancelledError("stopped");
    }
    on_their_way_.insert(record);
  }
  const std::shared_ptr<void> done(nullptr, [&](void*) {
    absl::MutexLock lock(&mutex_);
    on_their_way_.erase(record);
  });
  if (absl::StatusOr<FetchedBlob> found = Find(record, listed); found.ok()) return found;
  FPO_ASSIGN_OR_RETURN(const Digest sha256, Transfer(name, listed, on_bytes, stop));
  FetchedBlob blob{sha256, listed.bytes, BlobPath(sha256), false, Hold(sha256)};
  const std::string partial = absl::StrCat(options_.folder, "/partial/", record);
  FPO_RETURN_IF_ERROR(Keep(partial, blob.path));
  nlohmann::json json;
  json["url"] = name.Url();
  json["etag"] = listed.etag;
  json["sha256"] = ToHex(sha256);
  FPO_RETURN_IF_ERROR(
      WriteFileAtomically(absl::StrCat(options_.folder, "/objects/", record), json.dump() + "\n"));
  return blob;
}

// To FOLDER/partial/<record>, whose version is that of <record>.etag.
absl::StatusOr<Digest> FetchedBlobs::Transfer(const ObjectName& name, const ObjectInfo& listed,
                                              const std::function<void(int64_t)>& on_bytes,
                                              std::stop_token stop) {
  FPO_ASSIGN_OR_RETURN(const ObjectInfo now, store_->Head(name));
  if (now.etag != listed.etag || now.bytes != listed.bytes) {
    return absl::FailedPreconditionError(
        absl::StrCat(name.Url(), ": the object changed after it was listed"));
  }
  const std::string partial = absl::StrCat(options_.folder, "/partial/", NameOfRecord(name));
  const auto etag = ReadFile(partial + ".etag", kRecordBytesMax);
  std::error_code ignored;
  if (!etag.ok() || *etag != now.etag) fs::remove(partial, ignored);
  FPO_RETURN_IF_ERROR(WriteFileAtomically(partial + ".etag", now.etag));
  const FileDescriptor file(open(partial.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open()) return PosixError(errno, "open", partial);
  Sha256 sha;
  FPO_ASSIGN_OR_RETURN(int64_t have, Digested(file.get(), partial, &sha));
  on_bytes(have);
  FPO_RETURN_IF_ERROR(options_.make_room(now.bytes - have));
  FPO_RETURN_IF_ERROR(CheckSpace(options_.folder, now.bytes - have, options_.disk_reserve_bytes));
  if (lseek(file.get(), have, SEEK_SET) < 0) return PosixError(errno, "seek", partial);
  const auto sink = [&](absl::string_view piece) -> absl::Status {
    if (have + static_cast<int64_t>(piece.size()) > now.bytes) {
      return absl::DataLossError(
          absl::StrCat(name.Url(), ": more than its ", now.bytes, " bytes arrived"));
    }
    FPO_RETURN_IF_ERROR(WriteAll(file, piece, partial));
    sha.Update(piece);
    have += static_cast<int64_t>(piece.size());
    on_bytes(static_cast<int64_t>(piece.size()));
    return absl::OkStatus();
  };
  if (have < now.bytes) {
    FPO_RETURN_IF_ERROR(store_->Get(name, {.offset = have, .etag = now.etag, .stop = stop}, sink));
  }
  const Digest sha256 = sha.Finish();
  const bool is_whole = have == now.bytes && (!now.sha256 || *now.sha256 == sha256);
  if (!is_whole) {
    fs::remove(partial, ignored);
    return absl::DataLossError(
        have != now.bytes
            ? absl::StrCat(name.Url(), ": ", have, " of its ", now.bytes, " bytes arrived")
            : absl::StrCat(name.Url(), ": its bytes have the SHA-256 ", ToHex(sha256),
                           ", and it states ", ToHex(*now.sha256), "; put it there anew"));
  }
  if (fsync(file.get()) != 0) return PosixError(errno, "fsync", partial);
  return sha256;
}

absl::Status FetchedBlobs::Keep(const std::string& partial, const std::string& blob) const {
  // No job may change what the next one reads.
  if (chmod(partial.c_str(), 0440) != 0) return PosixError(errno, "chmod", partial);
  if (rename(partial.c_str(), blob.c_str()) != 0) return PosixError(errno, "rename", blob);
  std::error_code ignored;
  fs::remove(partial + ".etag", ignored);
  return SyncParentFolder(blob);
}

int64_t FetchedBlobs::RemoveUnused() {
  int64_t removed = 0;
  std::error_code error;
  absl::MutexLock lock(&mutex_);
  for (const auto& entry : fs::directory_iterator(options_.folder + "/blobs", error)) {
    std::error_code gone;
    const absl::StatusOr<Digest> sha256 = DigestFromHex(entry.path().filename().string());
    const bool held = sha256.ok() && held_.count(*sha256) > 0;
    if (held || entry.hard_link_count(gone) > 1) continue;
    const auto bytes = entry.file_size(gone);
    if (!gone && fs::remove(entry.path(), gone)) removed += static_cast<int64_t>(bytes);
  }
  return removed;
}

int64_t FetchedBlobs::BytesUsed() const {
  int64_t bytes = 0;
  std::error_code error;
  for (const char* part : {"/blobs", "/partial"}) {
    for (const auto& entry : fs::directory_iterator(options_.folder + part, error)) {
      std::error_code gone;
      const auto size = entry.file_size(gone);
      if (!gone) bytes += static_cast<int64_t>(size);
    }
  }
  return bytes;
}

}  // namespace fpo::worker
