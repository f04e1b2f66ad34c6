#include "train/checkpoint/checkpoint_reader.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/inputs/weights/rank_files.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int64_t kManifestBytesMax = 1 << 20;

struct ManifestFile {
  std::string name;
  uint64_t bytes = 0;
  std::string sha256;
};

struct CheckpointManifest {
  int64_t step = 0;
  int64_t world = 1;  // ranks that wrote it
  std::optional<double> score;
  std::vector<ManifestFile> files;
};

// Of a checkpoint's folder.
std::vector<std::string> TensorFiles(absl::string_view stem, int64_t world) {
  if (world == 1) return {absl::StrCat(stem, ".safetensors")};
  std::vector<std::string> names;
  for (int64_t rank = 0; rank < world; ++rank) names.push_back(RankFileName(stem, rank, world));
  return names;
}

std::vector<std::string> NeededFiles(int64_t world) {
  std::vector<std::string> names = {"state.json"};
  for (const char* stem : {kModelRankStem, kOptimizerRankStem}) {
    for (std::string& name : TensorFiles(stem, world)) names.push_back(std::move(name));
  }
  return names;
}

absl::StatusOr<CheckpointManifest> ReadManifest(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/manifest.json");
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kManifestBytesMax));
  const auto broken = [&](absl::string_view what) {
    return absl::DataLossError(absl::StrCat(path, " is corrupt: ", what));
  };
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer() ||
      !json.contains("files") || !json["files"].is_object()) {
    return broken("no step or files");
  }
  CheckpointManifest manifest;
  const Json version = json.value("version", Json());
  if (version == 2) {
    const Json world = json.value("world", Json());
    if (!world.is_number_integer() || world < 2 || world > kRankFilesMax) {
      return broken("it does not say how many ranks wrote it");
    }
    manifest.world = world.get<int64_t>();
  } else if (version != 1) {
    return broken("its version is not 1 or 2");
  }
  manifest.step = json["step"].get<int64_t>();
  if (json.contains("score") && json["score"].is_number()) {
    manifest.score = json["score"].get<double>();
  }
  for (const auto& [name, entry] : json["files"].items()) {
    if (!entry.is_object() || !entry.contains("bytes") || !entry["bytes"].is_number_unsigned() ||
        !entry.contains("sha256") || !entry["sha256"].is_string() ||
        name.find('/') != std::string::npos) {
      return broken(absl::StrCat("the entry of ", name));
    }
    manifest.files.push_back(
        {name, entry["bytes"].get<uint64_t>(), entry["sha256"].get<std::string>()});
  }
  const std::vector<std::string> needed = NeededFiles(manifest.world);
  for (const std::string& name : needed) {
    if (!json["files"].contains(name)) return broken(absl::StrCat(name, " is not listed"));
  }
  if (manifest.world > 1 && manifest.files.size() != needed.size()) {
    return broken(absl::StrCat("it lists ", manifest.files.size(), " files, those of ",
                               manifest.world, " ranks are ", needed.size()));
  }
  return manifest;
}

constexpr char kFailedOnceName[] = "failed-load";

// What became of a checkpoint that is not used. A bad one is renamed: it is never tried again, but
// can still be inspected.
struct Fate {
  bool bad = false;
  std::string words;
};

Fate MarkBad(const std::string& folder) {
  const std::string bad = folder + ".bad";
  std::error_code error;
  fs::remove_all(bad, error);
  fs::rename(folder, bad, error);
  if (error) return {true, absl::StrCat("and cannot be renamed: ", error.message())};
  return {true, absl::StrCat("is marked bad, ", bad)};
}

// A failed load may have a transient cause, so the first failure only leaves a marker.
Fate NoteFailedLoad(const std::string& folder) {
  const std::string marker = absl::StrCat(folder, "/", kFailedOnceName);
  std::error_code error;
  if (fs::exists(marker, error)) return MarkBad(folder);
  const absl::Status noted = WriteFileAtomically(marker, "");
  return {false,
          noted.ok() ? "is skipped for now" : "is skipped, but the failure could not be recorded"};
}

absl::StatusOr<StoredTensors> OpenTensors(const std::string& folder, absl::string_view stem,
                                          int64_t world) {
  std::vector<std::string> paths = TensorFiles(stem, world);
  for (std::string& path : paths) path = absl::StrCat(folder, "/", path);
  return world == 1 ? StoredTensors::Open(paths[0]) : StoredTensors::OpenPieces(paths);
}

absl::StatusOr<SavedCheckpoint> OpenVerified(const std::string& folder,
                                             const CheckpointManifest& manifest) {
  SavedCheckpoint checkpoint;
  checkpoint.info = {folder, manifest.step, manifest.score};
  checkpoint.world = manifest.world;
  const auto at = [&](const char* name) { return absl::StrCat(folder, "/", name); };
  FPO_ASSIGN_OR_RETURN(checkpoint.model, OpenTensors(folder, kModelRankStem, manifest.world));
  FPO_ASSIGN_OR_RETURN(checkpoint.optimizer,
                       OpenTensors(folder, kOptimizerRankStem, manifest.world));
  FPO_ASSIGN_OR_RETURN(checkpoint.state_json, ReadFile(at("state.json")));
  FPO_ASSIGN_OR_RETURN(checkpoint.digest, Sha256OfFile(at("manifest.json")));
  return checkpoint;
}

absl::Status CheckSize(const std::string& path, const ManifestFile& file) {
  std::error_code error;
  const uintmax_t bytes = fs::file_size(path, error);
  if (error) return absl::DataLossError(absl::StrCat(path, " is missing: ", error.message()));
  if (bytes == file.bytes) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(path, " has ", bytes, " bytes, its manifest says ", file.bytes));
}

absl::Status CheckDigest(const std::string& path, const ManifestFile& file) {
  FPO_ASSIGN_OR_RETURN(const Digest digest, Sha256OfFile(path));
  if (ToHex(digest) == file.sha256) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(path, " has SHA-256 ", ToHex(digest), ", its manifest says ", file.sha256));
}

}  // namespace

std::vector<CheckpointInfo> ListCheckpoints(const std::string& out) {
  std::vector<CheckpointInfo> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(absl::StrCat(out, "/checkpoints"), error)) {
    const std::string name = entry.path().filename().string();
    absl::string_view number = name;
    CheckpointInfo info;
    if (!absl::ConsumePrefix(&number, "step-") || !absl::SimpleAtoi(number, &info.step)) continue;
    info.folder = entry.path().string();
    const auto manifest = ReadManifest(info.folder);
    if (manifest.ok()) info.score = manifest->score;
    found.push_back(std::move(info));
  }
  std::sort(found.begin(), found.end(),
            [](const CheckpointInfo& a, const CheckpointInfo& b) { return a.step > b.step; });
  return found;
}

absl::Status VerifyCheckpoint(const std::string& folder) {
  FPO_ASSIGN_OR_RETURN(const CheckpointManifest manifest, ReadManifest(folder));
  if (fs::path(folder).filename() != absl::StrCat("step-", manifest.step)) {
    return absl::DataLossError(
        absl::StrCat(folder, "/manifest.json is corrupt: it says step ", manifest.step));
  }
  for (const ManifestFile& file : manifest.files) {
    const std::string path = absl::StrCat(folder, "/", file.name);
    FPO_RETURN_IF_ERROR(CheckSize(path, file));
    FPO_RETURN_IF_ERROR(CheckDigest(path, file));
  }
  return absl::OkStatus();
}

absl::StatusOr<SavedCheckpoint> ReadCheckpoint(const std::string& folder) {
  FPO_RETURN_IF_ERROR(VerifyCheckpoint(folder));
  FPO_ASSIGN_OR_RETURN(const CheckpointManifest manifest, ReadManifest(folder));
  return OpenVerified(folder, manifest);
}

absl::StatusOr<SavedCheckpoint> OpenCheckpoint(const std::string& folder) {
  FPO_ASSIGN_OR_RETURN(const CheckpointManifest manifest, ReadManifest(folder));
  std::map<std::string, ManifestFile> by_path;
  for (const ManifestFile& file : manifest.files) {
    const std::string path = absl::StrCat(folder, "/", file.name);
    FPO_RETURN_IF_ERROR(CheckSize(path, file));
    if (file.name == "state.json") FPO_RETURN_IF_ERROR(CheckDigest(path, file));
    by_path[path] = file;
  }
  FPO_ASSIGN_OR_RETURN(SavedCheckpoint checkpoint, OpenVerified(folder, manifest));
  const auto check = [by_path](const std::string& path) {
    return CheckDigest(path, by_path.at(path));
  };
  checkpoint.model.CheckBeforeUse(check);
  checkpoint.optimizer.CheckBeforeUse(check);
  return checkpoint;
}

absl::StatusOr<SavedCheckpoint> LoadNewestCheckpoint(
    const std::string& out, const std::function<absl::Status(const SavedCheckpoint&)>& load,
    std::vector<SkippedCheckpoint>* skipped) {
  const std::vector<CheckpointInfo> all = ListCheckpoints(out);
  if (all.empty()) return absl::NotFoundError(absl::StrCat(out, " has no checkpoint"));
  for (const CheckpointInfo& info : all) {
    const auto skip = [&](const Fate& fate, const absl::Status& why) {
      skipped->push_back(
          {info.step, fate.bad,
           absl::StrCat("checkpoint ", info.folder, " ", fate.words, ": ", why.message())});
    };
    auto checkpoint = ReadCheckpoint(info.folder);
    if (!checkpoint.ok()) {
      const bool damaged = absl::IsDataLoss(checkpoint.status());
      skip(damaged ? MarkBad(info.folder) : Fate{false, "is skipped"}, checkpoint.status());
      continue;
    }
    const absl::Status loaded = load(*checkpoint);
    if (loaded.ok()) return checkpoint;
    skip(NoteFailedLoad(info.folder), loaded);
  }
  return absl::DataLossError(absl::StrCat("none of the ", all.size(), " checkpoints of ", out,
                                          " can be used; the newest: ", skipped->front().why));
}

}  // namespace fpo::train
