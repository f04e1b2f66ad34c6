#include "worker/core/artifact.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/files/open_folder.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"

namespace fpo::worker {
namespace {

constexpr size_t kFilesMax = 4096;
constexpr int64_t kManifestBytesMax = 1 << 20;
constexpr char kModelFolder[] = "model";
// Files that fpo-train leaves in an output folder, besides model/ and checkpoints/.
constexpr absl::string_view kResultFiles[] = {
    "answers.json", "answers.jsonl", "admission.json", "config.json", "evaluation.json",
    "job.yaml",     "metrics.jsonl", "params.npz",     "report.html", "run.json"};

bool IsGiven(const ServeArtifactCommand& order, const std::string& name) {
  if (order.checkpoint) return true;
  if (absl::StartsWith(name, absl::StrCat(kModelFolder, "/"))) return true;
  return std::find(std::begin(kResultFiles), std::end(kResultFiles), name) !=
         std::end(kResultFiles);
}

// Digests by file name, as fpo-train recorded them when the checkpoint was complete.
std::map<std::string, std::string> DigestsOf(const std::string& folder) {
  std::map<std::string, std::string> digests;
  const absl::StatusOr<std::string> text = ReadFile(folder + "/manifest.json", kManifestBytesMax);
  const absl::StatusOr<nlohmann::json> manifest = text.ok() ? ParseJson(*text) : text.status();
  if (!manifest.ok()) return digests;
  const nlohmann::json* files = FindMember(*manifest, "files");
  if (files == nullptr || !files->is_object()) return digests;
  for (const auto& [name, file] : files->items()) {
    std::string hex;
    if (!ReadMember(file, "sha256", &hex).ok()) continue;
    if (DigestFromHex(hex).ok()) digests[name] = hex;
  }
  return digests;
}

absl::StatusOr<std::vector<ArtifactFile>> List(const OpenFolder& folder,
                                               const ServeArtifactCommand& order) {
  std::vector<OpenFolder::Entry> found;
  if (order.checkpoint) {
    FPO_ASSIGN_OR_RETURN(found, folder.List("", kFilesMax));
  } else {
    FPO_ASSIGN_OR_RETURN(found, folder.List(kModelFolder, kFilesMax));
    for (const absl::string_view name : kResultFiles) {
      const absl::StatusOr<int64_t> bytes = folder.SizeOf(std::string(name));
      if (bytes.ok()) found.push_back({std::string(name), *bytes});
    }
  }
  const auto digests =
      order.checkpoint ? DigestsOf(order.folder) : std::map<std::string, std::string>();
  std::vector<ArtifactFile> files;
  for (OpenFolder::Entry& entry : found) {
    const auto digest = digests.find(entry.name);
    files.push_back({std::move(entry.name), entry.bytes,
                     digest == digests.end() ? std::string() : digest->second});
  }
  return files;
}

absl::Status Gone(const ServeArtifactCommand& order, const absl::Status& why) {
  if (!absl::IsNotFound(why)) return why;
  return WithErrorInfo(
      absl::NotFoundError(absl::StrCat(order.folder, order.file.empty() ? "" : "/", order.file,
                                       " does not exist (any more): ", why.message())),
      {.reason = ErrorReason::kArtifactGone,
       .hint = "retention or a user removed it; pin a checkpoint to keep it"});
}

// Continues at the descriptor's position; every byte goes into the digest.
absl::Status SendFile(const FileDescriptor& file, const ServeArtifactCommand& order,
                      const std::function<bool(ArtifactFrame)>& sink) {
  Sha256 digest;
  std::string buffer(kArtifactFrameBytes, '\0');
  int64_t at = 0;
  for (;;) {
    const ssize_t got = read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return PosixError(errno, "read", absl::StrCat(order.folder, "/", order.file));
    if (got == 0) break;
    const absl::string_view bytes(buffer.data(), static_cast<size_t>(got));
    digest.Update(bytes);
    at += got;
    const int64_t fresh = std::min<int64_t>(at - order.offset, got);
    if (fresh <= 0) continue;
    ArtifactFrame frame;
    frame.data = std::string(bytes.substr(bytes.size() - static_cast<size_t>(fresh)));
    if (!sink(std::move(frame))) return absl::CancelledError("the reader is gone");
  }
  if (at < order.offset) {
    return absl::OutOfRangeError(absl::StrCat(order.folder, "/", order.file, " has ", at,
                                              " bytes, asked from ", order.offset));
  }
  ArtifactFrame end;
  end.sha256 = digest.Finish();
  return sink(std::move(end)) ? absl::OkStatus() : absl::CancelledError("the reader is gone");
}

}  // namespace

absl::Status ServeArtifact(const ServeArtifactCommand& order,
                           const std::function<bool(ArtifactFrame)>& sink) {
  const absl::StatusOr<OpenFolder> folder = OpenFolder::Open(order.folder);
  if (!folder.ok()) return Gone(order, folder.status());
  if (order.file.empty()) {
    FPO_ASSIGN_OR_RETURN(std::vector<ArtifactFile> files, List(*folder, order));
    ArtifactFrame frame;
    frame.files = std::move(files);
    return sink(std::move(frame)) ? absl::OkStatus() : absl::CancelledError("the reader is gone");
  }
  FPO_RETURN_IF_ERROR(CheckRelativeName(order.file));
  if (!IsGiven(order, order.file)) {
    return absl::PermissionDeniedError(
        absl::StrCat(order.file, " is not among the files that a run leaves for its user"));
  }
  const absl::StatusOr<FileDescriptor> file = folder->OpenToRead(order.file);
  if (!file.ok()) return Gone(order, file.status());
  return SendFile(*file, order, sink);
}

}  // namespace fpo::worker
