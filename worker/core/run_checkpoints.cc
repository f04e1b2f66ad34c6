#include "worker/core/run_checkpoints.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;

constexpr size_t kCheckpointManifestBytesMax = 1 << 20;
constexpr char kPinName[] = "pinned";

// The step of "step-40"; nullopt for leftovers such as step-40.tmp.
std::optional<int64_t> StepOf(const fs::path& folder) {
  const std::string name = folder.filename().string();
  absl::string_view number = name;
  int64_t step = 0;
  if (!absl::ConsumePrefix(&number, "step-") || !absl::SimpleAtoi(number, &step)) {
    return std::nullopt;
  }
  return step;
}

// Renamed first, so that a half-removed folder is never taken for a checkpoint; fpo-train removes
// such leftovers.
absl::Status Remove(const fs::path& folder) {
  const std::string doomed = folder.string() + ".old";
  std::error_code error;
  fs::remove_all(doomed, error);
  fs::rename(folder, doomed, error);
  if (error == std::errc::no_such_file_or_directory) return absl::OkStatus();
  if (error) return PosixError(error.value(), "remove", folder.string());
  fs::remove_all(doomed, error);
  return absl::OkStatus();
}

}  // namespace

std::optional<TrainEvent> DescribeCheckpoint(const std::string& folder) {
  const absl::StatusOr<std::string> text =
      ReadFile(folder + "/manifest.json", kCheckpointManifestBytesMax);
  if (!text.ok()) return std::nullopt;
  const absl::StatusOr<nlohmann::json> manifest = ParseJson(*text);
  const std::optional<int64_t> step = StepOf(folder);
  if (!manifest.ok() || !step) return std::nullopt;
  TrainEvent event = CheckpointEvent(*step, folder);
  event.digest = ToHex(Sha256Of(*text));
  double score = 0;
  const nlohmann::json* given = FindMember(*manifest, "score");
  if (given != nullptr && ReadMember(*manifest, "score", &score).ok()) {
    event.metrics["score"] = score;
  }
  const nlohmann::json* files = FindMember(*manifest, "files");
  if (files == nullptr || !files->is_object()) return std::nullopt;
  for (const auto& [name, file] : files->items()) {
    int64_t bytes = 0;
    if (FindMember(file, "bytes") == nullptr || !ReadMember(file, "bytes", &bytes).ok()) {
      return std::nullopt;
    }
    event.metrics["bytes"] += static_cast<double>(bytes);
  }
  return event;
}

std::vector<TrainEvent> ListRunCheckpoints(const std::string& out) {
  std::vector<TrainEvent> events;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(out + "/checkpoints", error)) {
    if (!StepOf(entry.path())) continue;
    if (auto event = DescribeCheckpoint(entry.path().string())) events.push_back(*event);
  }
  std::sort(events.begin(), events.end(),
            [](const TrainEvent& a, const TrainEvent& b) { return a.step < b.step; });
  return events;
}

absl::Status DiscardCheckpointsAfter(const std::string& out, int64_t step) {
  std::vector<fs::path> later;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(out + "/checkpoints", error)) {
    const std::optional<int64_t> found = StepOf(entry.path());
    if (found && *found > step) later.push_back(entry.path());
  }
  for (const fs::path& folder : later) FPO_RETURN_IF_ERROR(Remove(folder));
  return absl::OkStatus();
}

absl::Status PinCheckpoint(const std::string& folder, bool pinned) {
  const std::string marker = absl::StrCat(folder, "/", kPinName);
  if (!StepOf(folder)) return absl::InvalidArgumentError(folder + " is not a checkpoint folder");
  std::error_code error;
  if (!pinned) {
    fs::remove(marker, error);
    return absl::OkStatus();
  }
  return WriteFileAtomically(marker, "");
}

absl::Status RemoveCheckpoint(const std::string& folder) {
  const fs::path path(folder);
  if (!StepOf(path) || path.parent_path().filename() != "checkpoints" || !path.is_absolute()) {
    return absl::InvalidArgumentError(
        absl::StrCat("asked to remove ", folder, ", which is not a checkpoint folder"));
  }
  return Remove(path);
}

}  // namespace fpo::worker
