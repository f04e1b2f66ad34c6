#include "ctl/jobs/artifact_fetch.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/rpc/rpc_status.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

constexpr char kPartEnding[] = ".part";
constexpr int kBrokenDownloadsMax = 6;  // in a row, without a new byte
constexpr size_t kReadBytes = 1 << 20;

absl::Status Differs(const OpenFolder& folder, const std::string& name) {
  return WithErrorInfo(
      absl::AlreadyExistsError(absl::StrCat(folder.path(), "/", name, " is another file already")),
      {.reason = ErrorReason::kFileExists, .hint = "name another folder with --to, or remove it"});
}

// Digest of the descriptor's contents, from its beginning.
absl::StatusOr<int64_t> DigestOf(const FileDescriptor& file, Sha256* digest) {
  std::string buffer(kReadBytes, '\0');
  int64_t at = 0;
  for (;;) {
    const ssize_t got = pread(file.get(), buffer.data(), buffer.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return PosixError(errno, "read", "what was downloaded before");
    if (got == 0) return at;
    digest->Update(absl::string_view(buffer.data(), static_cast<size_t>(got)));
    at += got;
  }
}

bool MayTryAgain(const absl::Status& status) {
  // An agent that lost its connection reconnects within seconds.
  return IsLost(status) || ReasonOf(status) == ErrorReason::kNoHolder;
}

}  // namespace

// NAME.part: its bytes so far and their digest.
class ArtifactFetch::Part {
 public:
  static absl::StatusOr<Part> Open(const OpenFolder& folder, const std::string& name) {
    FPO_ASSIGN_OR_RETURN(FileDescriptor file, folder.OpenToWrite(name + kPartEnding));
    if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      return WithErrorInfo(
          absl::AlreadyExistsError(absl::StrCat("another download writes ", folder.path(), "/",
                                                name, kPartEnding, " just now")),
          {.reason = ErrorReason::kFileBusy,
           .hint = "wait for its end, or name another folder with --to"});
    }
    Part part(std::move(file), absl::StrCat(folder.path(), "/", name, kPartEnding));
    FPO_ASSIGN_OR_RETURN(part.bytes_, DigestOf(part.file_, &part.digest_));
    return part;
  }
  absl::Status Restart() {
    if (ftruncate(file_.get(), 0) != 0) return PosixError(errno, "cut", path_);
    bytes_ = 0;
    digest_ = Sha256();
    return absl::OkStatus();
  }
  absl::Status Add(absl::string_view data) {
    digest_.Update(data);
    while (!data.empty()) {
      const ssize_t n = pwrite(file_.get(), data.data(), data.size(), bytes_);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return PosixError(errno, "write", path_);
      data.remove_prefix(static_cast<size_t>(n));
      bytes_ += n;
    }
    return absl::OkStatus();
  }
  absl::Status Sync() const {
    return fsync(file_.get()) == 0 ? absl::OkStatus() : PosixError(errno, "fsync", path_);
  }
  std::string TakeDigest() { return ToHex(digest_.Finish()); }
  int64_t bytes() const { return bytes_; }

 private:
  Part(FileDescriptor file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  FileDescriptor file_;
  std::string path_;
  int64_t bytes_ = 0;
  Sha256 digest_;
};

absl::Status ArtifactFetch::Read(
    const std::string& name, int64_t offset,
    const std::function<absl::Status(const pb::ReadArtifactResponse&)>& take) {
  pb::ReadArtifactRequest request;
  request.set_job_id(source_.job_id);
  request.set_step(source_.step);
  request.set_file(name);
  request.set_offset(offset);
  request.set_exported(source_.exported);
  return dependencies_.coordinator->ReadArtifact(request, take);
}

absl::Status ArtifactFetch::CheckList(const std::vector<pb::ArtifactFile>& files) const {
  if (files.empty()) {
    return WithErrorInfo(
        absl::NotFoundError(absl::StrCat("job ", source_.job_id, " left no files where it ran")),
        {.reason = ErrorReason::kNoFiles,
         .hint = absl::StrCat("fpoctl describe ", source_.job_id)});
  }
  std::set<std::string> names;
  for (const pb::ArtifactFile& file : files) {
    absl::Status status = CheckRelativeName(file.name());
    if (status.ok() && (file.bytes() < 0 || !names.insert(file.name()).second)) {
      status = absl::InvalidArgumentError(absl::StrCat("\"", file.name(), "\" is listed wrongly"));
    }
    if (status.ok()) continue;
    return absl::DataLossError(absl::StrCat("the list of files is refused: ", status.message()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<pb::ArtifactFile>> ArtifactFetch::List() {
  std::vector<pb::ArtifactFile> files;
  FPO_RETURN_IF_ERROR(Read("", 0, [&](const pb::ReadArtifactResponse& answer) {
    files.insert(files.end(), answer.files().begin(), answer.files().end());
    return absl::OkStatus();
  }));
  FPO_RETURN_IF_ERROR(CheckList(files));
  return files;
}

// Whether the file exists here with the sender's bytes; asked without sending them.
absl::StatusOr<bool> ArtifactFetch::IsThere(const pb::ArtifactFile& file, FetchedFile* fetched) {
  const absl::StatusOr<int64_t> bytes = folder_->SizeOf(file.name());
  if (absl::IsNotFound(bytes.status())) return false;
  FPO_RETURN_IF_ERROR(bytes.status());
  if (*bytes != file.bytes()) return Differs(*folder_, file.name());
  FPO_ASSIGN_OR_RETURN(const FileDescriptor own, folder_->OpenToRead(file.name()));
  Sha256 digest;
  FPO_RETURN_IF_ERROR(DigestOf(own, &digest).status());
  fetched->sha256 = ToHex(digest.Finish());
  std::string theirs;
  FPO_RETURN_IF_ERROR(Read(file.name(), *bytes, [&](const pb::ReadArtifactResponse& answer) {
    if (!answer.sha256().empty()) theirs = absl::BytesToHexString(answer.sha256());
    return absl::OkStatus();
  }));
  if (theirs != fetched->sha256) return Differs(*folder_, file.name());
  fetched->bytes = *bytes;
  fetched->was_there = true;
  dependencies_.on_bytes(*bytes, /*came=*/false);
  return true;
}

// Everything after what the part holds; `sha256` is the sender's, of the whole file.
absl::Status ArtifactFetch::Receive(const std::string& name, Part* part, std::string* sha256) {
  Backoff backoff(dependencies_.backoff);
  for (int broken = 0;;) {
    const int64_t before = part->bytes();
    const absl::Status status =
        Read(name, before, [&](const pb::ReadArtifactResponse& answer) -> absl::Status {
          FPO_RETURN_IF_ERROR(part->Add(answer.data()));
          dependencies_.on_bytes(static_cast<int64_t>(answer.data().size()), /*came=*/true);
          if (!answer.sha256().empty()) *sha256 = absl::BytesToHexString(answer.sha256());
          return absl::OkStatus();
        });
    if (status.ok()) return status;
    broken = part->bytes() > before ? 1 : broken + 1;
    if (!MayTryAgain(status) || broken > kBrokenDownloadsMax) return status;
    if (dependencies_.interrupt->WaitFor(backoff.Next())) return InterruptedError();
  }
}

absl::StatusOr<FetchedFile> ArtifactFetch::Fetch(const pb::ArtifactFile& file) {
  FetchedFile fetched;
  fetched.name = file.name();
  FPO_ASSIGN_OR_RETURN(const bool there, IsThere(file, &fetched));
  if (there) return fetched;
  FPO_ASSIGN_OR_RETURN(Part part, Part::Open(*folder_, file.name()));
  dependencies_.on_bytes(part.bytes(), /*came=*/false);
  for (int tries = 0; tries < 2; ++tries) {
    std::string theirs;
    absl::Status status = Receive(file.name(), &part, &theirs);
    // What an earlier run left may be of another, even a longer, file.
    if (!status.ok() && !absl::IsOutOfRange(status)) return status;
    fetched.bytes = part.bytes();
    fetched.sha256 = part.TakeDigest();
    const bool listed = file.sha256().empty() || file.sha256() == fetched.sha256;
    if (status.ok() && theirs == fetched.sha256 && listed) {
      FPO_RETURN_IF_ERROR(part.Sync());
      FPO_RETURN_IF_ERROR(folder_->Rename(file.name() + kPartEnding, file.name()));
      return fetched;
    }
    dependencies_.on_bytes(-part.bytes(), /*came=*/false);
    FPO_RETURN_IF_ERROR(part.Restart());
  }
  return WithErrorInfo(
      absl::DataLossError(absl::StrCat("what was received of ", file.name(), " has SHA-256 ",
                                       fetched.sha256, ", not that of the file, twice")),
      {.reason = ErrorReason::kCorrupt,
       .hint = "run it again; if it fails again, the file is damaged on its worker"});
}

}  // namespace fpo::ctl
