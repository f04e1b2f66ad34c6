#include "common/inputs/model_home.h"

#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/posix_status.h"
#include "common/inputs/weights/rank_files.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int64_t kStateBytesMax = 64 << 20;
constexpr int kRunsMax = 16;  // one started from a checkpoint of another

bool IsThere(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

Json ObjectIn(const std::string& path) {
  const auto text = ReadFile(path, kStateBytesMax);
  Json json = text.ok() ? Json::parse(*text, nullptr, /*allow_exceptions=*/false) : Json();
  return json.is_object() ? json : Json::object();
}

std::string StatedText(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

// RUN of RUN/checkpoints/step-N.
std::string RunOf(const std::string& checkpoint) {
  std::error_code error;
  fs::path path = fs::absolute(checkpoint, error).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // "step-200/"
  return path.parent_path().parent_path().string();
}

// The next folder to look at, or why there is none.
absl::StatusOr<std::string> StartOf(const std::string& checkpoint) {
  const std::string run = RunOf(checkpoint);
  std::vector<std::string> named;
  const std::string stated = StatedText(ObjectIn(checkpoint + "/state.json"), "model_path");
  if (!stated.empty()) named.push_back(stated);
  const Json record = ObjectIn(run + "/run.json");
  const auto model = record.find("model");
  if (model != record.end() && model->is_object()) {
    const std::string recorded = StatedText(*model, "path");
    if (!recorded.empty() && recorded != stated) named.push_back(recorded);
  }
  for (const std::string& folder : named) {
    if (IsThere(folder + "/config.json") || IsCheckpointFolder(folder)) return folder;
  }
  // What the run exported at its end has the same configuration and tokenizer.
  if (IsThere(run + "/model/config.json")) return run + "/model";
  return absl::NotFoundError(absl::StrCat(
      checkpoint,
      " is a checkpoint of a run, which holds weights only; its config.json and tokenizer are "
      "those of the model that the run started from, ",
      named.empty() ? "which neither state.json nor the run's run.json names"
                    : absl::StrCat(absl::StrJoin(named, " or "), ", which is not here"),
      ": copy config.json and the tokenizer files of that model into the checkpoint's folder"));
}

}  // namespace

bool IsCheckpointFolder(const std::string& folder) {
  return IsThere(folder + "/manifest.json") && IsThere(folder + "/state.json") &&
         (IsThere(folder + "/model.safetensors") || HasRankFile(folder, kModelRankStem));
}

absl::StatusOr<std::string> ModelHome(const std::string& folder) {
  std::string home = folder;
  for (int run = 0; run < kRunsMax; ++run) {
    if (IsThere(home + "/config.json") || !IsCheckpointFolder(home)) return home;
    FPO_ASSIGN_OR_RETURN(home, StartOf(home));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(folder, " is a checkpoint of a run that started from a checkpoint, and so on ",
                   kRunsMax, " times"));
}

std::string StartDigestOf(const std::string& checkpoint) {
  return StatedText(ObjectIn(checkpoint + "/state.json"), "model_digest");
}

}  // namespace fpo
