#include "train/checkpoint/checkpoint_writer.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/failpoint.h"
#include "common/files/durable_file.h"
#include "common/outputs/publish.h"
#include "common/status_macros.h"
#include "train/checkpoint/checkpoint_reader.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

absl::Status FolderError(const std::string& what, const std::string& folder,
                         const std::error_code& error) {
  return absl::UnavailableError(absl::StrCat("cannot ", what, " ", folder, ": ", error.message()));
}

// Renames the folder first, so that a half-removed one is never taken for a checkpoint.
absl::Status RemoveFolder(const std::string& folder) {
  FPO_RETURN_IF_ERROR(MayPublish(folder));
  std::error_code error;
  const std::string doomed = DoomedPath(folder);
  fs::remove_all(doomed, error);
  fs::rename(folder, doomed, error);
  if (error) return FolderError("remove", folder, error);
  FPO_FAILPOINT("checkpoint.half_removed");
  fs::remove_all(doomed, error);
  return absl::OkStatus();
}

std::string TargetOf(const std::string& folder, int64_t step) {
  return absl::StrCat(folder, "/step-", step);
}

// The first version is that of one rank, which older programs read.
absl::Status WriteManifest(const WrittenShards& written, const std::string& folder) {
  OrderedJson manifest;
  manifest["version"] = written.world == 1 ? 1 : 2;
  manifest["step"] = written.step;
  if (written.world > 1) manifest["world"] = written.world;
  manifest["score"] = written.score ? OrderedJson(*written.score) : OrderedJson(nullptr);
  for (const CheckpointFile& file : written.files) {
    manifest["files"][file.name] = {{"bytes", file.bytes}, {"sha256", ToHex(file.sha256)}};
  }
  return WriteFileAtomically(folder + "/manifest.json", manifest.dump(2) + "\n");
}

void SweepLeftovers(const std::string& folder) {
  std::error_code error;
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (absl::StartsWith(name, "step-") &&
        (absl::StrContains(name, ".tmp") || absl::StrContains(name, ".old"))) {
      leftovers.push_back(entry.path());
    }
  }
  for (const fs::path& path : leftovers) fs::remove_all(path, error);
}

}  // namespace

absl::StatusOr<CheckpointFile> DescribeFile(const std::string& folder, const std::string& name) {
  const std::string path = absl::StrCat(folder, "/", name);
  CheckpointFile file{name};
  FPO_ASSIGN_OR_RETURN(file.sha256, Sha256OfFile(path));
  std::error_code error;  // another attempt may have taken the folder away
  file.bytes = static_cast<int64_t>(fs::file_size(path, error));
  if (error) return FolderError("read", path, error);
  return file;
}

CheckpointWriter::CheckpointWriter(std::string out, Options options)
    : folder_(absl::StrCat(out, "/checkpoints")), options_(options) {
  options_.keep_last = std::max<int64_t>(options_.keep_last, 1);
}

absl::Status CheckpointWriter::WriteFiles(const CheckpointContent& content,
                                          std::optional<double> score,
                                          const std::string& folder) const {
  const auto at = [&](const char* name) { return absl::StrCat(folder, "/", name); };
  FPO_RETURN_IF_ERROR(WriteSafetensors(at("model.safetensors"), content.model, {{"format", "pt"}}));
  FPO_FAILPOINT("checkpoint.model_written");
  FPO_RETURN_IF_ERROR(WriteSafetensors(at("optimizer.safetensors"), content.optimizer));
  FPO_RETURN_IF_ERROR(WriteFileAtomically(at("state.json"), content.state_json));
  FPO_FAILPOINT("checkpoint.before_manifest");
  WrittenShards written = {content.step, 1, {}, "", score};
  for (const char* name : {"model.safetensors", "optimizer.safetensors", "state.json"}) {
    FPO_ASSIGN_OR_RETURN(CheckpointFile file, DescribeFile(folder, name));
    written.files.push_back(std::move(file));
  }
  return WriteManifest(written, folder);
}

absl::StatusOr<std::string> CheckpointWriter::Begin(int64_t step) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) return FolderError("create", folder_, error);
  // Whoever holds the lock of the run has swept when it took that, when no other could build.
  if (!swept_ && !IsGuarded(folder_)) SweepLeftovers(folder_);
  swept_ = true;
  const std::string building = BuildingPath(TargetOf(folder_, step));
  fs::remove_all(building, error);
  fs::create_directory(building, error);
  if (error) return FolderError("create", building, error);
  return building;
}

absl::StatusOr<std::string> CheckpointWriter::PublishBuilt(int64_t step,
                                                           const std::string& building) const {
  const std::string target = TargetOf(folder_, step);
  FPO_FAILPOINT("checkpoint.before_rename");
  FPO_RETURN_IF_ERROR(PublishFolder(building, target));
  FPO_FAILPOINT("checkpoint.after_rename");
  FPO_RETURN_IF_ERROR(Retain(step));
  return target;
}

absl::StatusOr<std::string> CheckpointWriter::Publish(const WrittenShards& shards,
                                                      const std::string& building) {
  WrittenShards all = shards;
  for (const CheckpointFile& file : shards.files) {
    const std::string path = absl::StrCat(building, "/", file.name);
    std::error_code error;
    const uintmax_t bytes = fs::file_size(path, error);
    if (!error && bytes == static_cast<uintmax_t>(file.bytes)) continue;
    return absl::UnavailableError(absl::StrCat(
        path, ", which its rank has written with ", file.bytes, " bytes, ",
        error ? absl::StrCat("is not here: ", error.message()) : absl::StrCat("has ", bytes),
        "; the output folder must be one that all hosts of the job share"));
  }
  FPO_RETURN_IF_ERROR(WriteFileAtomically(building + "/state.json", shards.state_json));
  FPO_ASSIGN_OR_RETURN(CheckpointFile state, DescribeFile(building, "state.json"));
  all.files.push_back(std::move(state));
  FPO_FAILPOINT("checkpoint.before_manifest");
  FPO_RETURN_IF_ERROR(WriteManifest(all, building));
  return PublishBuilt(shards.step, building);
}

absl::StatusOr<std::string> CheckpointWriter::Write(const CheckpointContent& content,
                                                    std::optional<double> score) {
  FPO_ASSIGN_OR_RETURN(const std::string building, Begin(content.step));
  const absl::Status written = WriteFiles(content, score, building);
  if (!written.ok()) {
    std::error_code error;
    fs::remove_all(building, error);
    return written;
  }
  return PublishBuilt(content.step, building);
}

absl::Status CheckpointWriter::Retain(int64_t newest) const {
  const std::string out = fs::path(folder_).parent_path().string();
  const std::vector<CheckpointInfo> all = ListCheckpoints(out);
  std::set<int64_t> wanted = {newest};
  for (size_t i = 0; i < all.size() && i < static_cast<size_t>(options_.keep_last); ++i) {
    wanted.insert(all[i].step);
  }
  std::vector<std::pair<double, int64_t>> scored;
  std::error_code error;
  for (const CheckpointInfo& info : all) {
    // The marker that `fpoctl ckpt pin` leaves.
    if (fs::exists(info.folder + "/pinned", error)) wanted.insert(info.step);
    if (info.score) scored.emplace_back(*info.score, info.step);
  }
  std::sort(scored.begin(), scored.end());
  const auto best = static_cast<size_t>(std::max<int64_t>(options_.keep_best, 0));
  for (size_t i = 0; i < scored.size() && i < best; ++i) wanted.insert(scored[i].second);
  for (const CheckpointInfo& info : all) {
    if (wanted.count(info.step) == 0) FPO_RETURN_IF_ERROR(RemoveFolder(info.folder));
  }
  return absl::OkStatus();
}

}  // namespace fpo::train
