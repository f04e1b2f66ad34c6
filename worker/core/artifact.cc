#include "worker/core/artifact.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/error_info.h"
#include "common/files/open_folder.h"
#include "common/files/posix_status.h"
#include "common/outputs/folder_manifest.h"
#include "common/status_macros.h"

namespace fpo::worker {
namespace {

constexpr size_t kFilesMax = 4096;
constexpr char kModelFolder[] = "model";
// Of a training job; absent without pairs, and in folders of earlier versions.
constexpr const char* kLogFolders[] = {"evaluations", "tensorboard"};
// Of an evaluation of several sets; absent else.
constexpr char kPairsFolder[] = "evaluation.pairs";

// Files that a job leaves in its output folder, besides model/, kLogFolders and checkpoints/.
struct ResultFile {
  JobKind kind;
  absl::string_view name;
};
constexpr ResultFile kResultFiles[] = {
    {JobKind::kTrain, "admission.json"},
    {JobKind::kTrain, "features.json"},
    {JobKind::kTrain, "job.yaml"},
    {JobKind::kTrain, "metrics.jsonl"},
    {JobKind::kTrain, "report.html"},
    {JobKind::kTrain, "run.json"},
    {JobKind::kEvaluate, "evaluation.json"},
    {JobKind::kEvaluate, "evaluation.pairs.jsonl"},
    {JobKind::kSae, "config.json"},
    {JobKind::kSae, "metrics.jsonl"},
    {JobKind::kSae, "params.npz"},
    {JobKind::kGenerate, "answers.json"},
    {JobKind::kGenerate, "answers.jsonl"},
    {JobKind::kJudge, "annotations.json"},
    {JobKind::kJudge, "annotations.json.summary.json"},
};

bool HasModel(const ServeArtifactCommand& order) { return order.kind == JobKind::kTrain; }

bool IsGiven(const ServeArtifactCommand& order, const std::string& name) {
  if (order.checkpoint) return true;
  const auto is_in = [&name](absl::string_view folder) {
    return absl::StartsWith(name, absl::StrCat(folder, "/"));
  };
  if (is_in(kModelFolder) || std::any_of(std::begin(kLogFolders), std::end(kLogFolders), is_in)) {
    return order.kind == JobKind::kTrain;
  }
  if (is_in(kPairsFolder)) return order.kind == JobKind::kEvaluate;
  return std::any_of(std::begin(kResultFiles), std::end(kResultFiles), [&](const ResultFile& file) {
    return file.kind == order.kind && file.name == name;
  });
}

// The folder whose files a manifest names.
std::string ListedFolder(const ServeArtifactCommand& order) {
  return order.checkpoint ? order.folder : absl::StrCat(order.folder, "/", kModelFolder);
}

// The digests that fpo-train recorded when the folder was complete. A folder made before there were
// manifests of models has none.
absl::StatusOr<FolderManifest> ManifestOf(const ServeArtifactCommand& order) {
  absl::StatusOr<FolderManifest> manifest = ReadFolderManifest(ListedFolder(order));
  if (absl::IsNotFound(manifest.status())) return FolderManifest();
  return manifest;
}

absl::Status OtherModel(const ServeArtifactCommand& order, absl::string_view what) {
  return WithErrorInfo(
      absl::DataLossError(
          absl::StrCat(ListedFolder(order), " is not what the job reported: ", what)),
      {.reason = ErrorReason::kCorrupt,
       .hint =
           "something wrote to the folder after the job; its checkpoints can still be fetched"});
}

absl::Status CheckComplete(const ServeArtifactCommand& order, const FolderManifest& manifest,
                           const std::vector<ArtifactFile>& files) {
  const std::string prefix = order.checkpoint ? "" : absl::StrCat(kModelFolder, "/");
  for (const auto& [name, entry] : manifest) {
    const std::string listed = prefix + name;
    const auto found = std::find_if(files.begin(), files.end(),
                                    [&](const ArtifactFile& file) { return file.name == listed; });
    if (found == files.end()) return OtherModel(order, absl::StrCat(name, " is missing"));
    if (entry.bytes.has_value() && found->bytes != *entry.bytes) {
      return OtherModel(order,
                        absl::StrCat(name, " has ", found->bytes, " bytes, not ", *entry.bytes));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<OpenFolder::Entry>> Find(const OpenFolder& folder,
                                                    const ServeArtifactCommand& order) {
  if (order.checkpoint) return folder.List("", kFilesMax);
  std::vector<OpenFolder::Entry> found;
  if (HasModel(order)) {
    FPO_ASSIGN_OR_RETURN(found, folder.List(kModelFolder, kFilesMax));
    for (const char* logs : kLogFolders) {
      FPO_ASSIGN_OR_RETURN(const auto listed, folder.List(logs, kFilesMax));
      found.insert(found.end(), listed.begin(), listed.end());
    }
  }
  if (order.kind == JobKind::kEvaluate) {
    FPO_ASSIGN_OR_RETURN(found, folder.List(kPairsFolder, kFilesMax));
  }
  for (const ResultFile& file : kResultFiles) {
    if (file.kind != order.kind) continue;
    const absl::StatusOr<int64_t> bytes = folder.SizeOf(std::string(file.name));
    if (bytes.ok()) found.push_back({std::string(file.name), *bytes});
  }
  return found;
}

absl::StatusOr<std::vector<ArtifactFile>> List(const OpenFolder& folder,
                                               const ServeArtifactCommand& order) {
  FPO_ASSIGN_OR_RETURN(std::vector<OpenFolder::Entry> found, Find(folder, order));
  FolderManifest manifest;
  if (order.checkpoint || HasModel(order)) {
    FPO_ASSIGN_OR_RETURN(manifest, ManifestOf(order));
  }
  const std::string prefix = order.checkpoint ? "" : absl::StrCat(kModelFolder, "/");
  std::vector<ArtifactFile> files;
  for (OpenFolder::Entry& entry : found) {
    const std::string name = std::string(absl::StripPrefix(entry.name, prefix));
    const auto known = entry.name == name && !prefix.empty() ? manifest.end() : manifest.find(name);
    files.push_back({std::move(entry.name), entry.bytes,
                     known == manifest.end() ? std::string() : ToHex(known->second.sha256)});
  }
  FPO_RETURN_IF_ERROR(CheckComplete(order, manifest, files));
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

absl::Status CheckModel(const ServeArtifactCommand& order) {
  if (order.checkpoint || order.model_manifest.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> digest = ManifestDigest(ListedFolder(order));
  if (!digest.ok()) return OtherModel(order, digest.status().message());
  if (*digest == order.model_manifest) return absl::OkStatus();
  return OtherModel(order, absl::StrCat("its manifest has SHA-256 ", *digest, ", reported was ",
                                        order.model_manifest));
}

absl::Status ServeArtifact(const ServeArtifactCommand& order,
                           const std::function<bool(ArtifactFrame)>& sink) {
  const absl::StatusOr<OpenFolder> folder = OpenFolder::Open(order.folder);
  if (!folder.ok()) return Gone(order, folder.status());
  if (order.file.empty() || absl::StartsWith(order.file, absl::StrCat(kModelFolder, "/"))) {
    FPO_RETURN_IF_ERROR(CheckModel(order));
  }
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
