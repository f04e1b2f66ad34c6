#include "common/files/saved_dataset.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"

namespace fpo {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kDatasetStateBytesMax = int64_t{16} << 20;
constexpr size_t kSplitsNamedMax = 20;

bool IsPresent(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

absl::StatusOr<nlohmann::json> ReadState(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kDatasetStateBytesMax));
  absl::StatusOr<nlohmann::json> json = ParseJson(text);
  if (json.ok()) return json;
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", json.status().message()));
}

// dataset_dict.json marks the folder; the splits are the folders in it.
absl::Status SeveralSplits(const std::string& folder) {
  std::vector<std::string> splits;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path().string();
    if (IsPresent(path + "/state.json")) splits.push_back(path);
  }
  std::sort(splits.begin(), splits.end());
  if (splits.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("folder ", folder,
                     " has a dataset_dict.json but no split in a folder of its own (an incomplete "
                     "copy?); copy the whole folder that save_to_disk wrote"));
  }
  if (splits.size() > kSplitsNamedMax) splits.resize(kSplitsNamedMax);
  return absl::InvalidArgumentError(absl::StrCat("folder ", folder,
                                                 " holds a dataset with splits (a DatasetDict); "
                                                 "name one of them: ",
                                                 absl::StrJoin(splits, ", ")));
}

}  // namespace

absl::StatusOr<std::optional<std::vector<std::string>>> SavedDatasetFiles(
    const std::string& folder) {
  using Files = std::optional<std::vector<std::string>>;
  if (IsPresent(folder + "/dataset_dict.json")) return SeveralSplits(folder);
  const std::string state_path = folder + "/state.json";
  if (!IsPresent(state_path)) return Files();
  FPO_ASSIGN_OR_RETURN(const nlohmann::json state, ReadState(state_path));
  const nlohmann::json* listed = FindMember(state, "_data_files");
  if (listed == nullptr || !listed->is_array()) return Files();
  for (const char* key : {"_indices_data_files", "_indices_files"}) {
    const nlohmann::json* indices = FindMember(state, key);
    if (indices == nullptr || indices->empty()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("folder ", folder,
                     " was saved by an old version of datasets with a selection of its rows "
                     "beside them, which is not read; save it again: datasets.load_from_disk(\"",
                     folder, "\").flatten_indices().save_to_disk(\"NEW\")"));
  }
  std::vector<std::string> files;
  for (const nlohmann::json& entry : *listed) {
    std::string name;
    FPO_RETURN_IF_ERROR(ReadMember(entry, "filename", &name));
    if (name.empty() || fs::path(name).filename() != name || name == "..") {
      return absl::InvalidArgumentError(
          absl::StrCat(state_path, " names \"", name.substr(0, 100), "\", which is no file of it"));
    }
    files.push_back(absl::StrCat(folder, "/", name));
    if (!IsPresent(files.back())) {
      return absl::NotFoundError(absl::StrCat("there is no ", files.back(), ", which ", state_path,
                                              " names (an incomplete copy?)"));
    }
  }
  if (files.empty()) {
    return absl::NotFoundError(absl::StrCat("folder ", folder, " holds a dataset without rows"));
  }
  return Files(std::move(files));
}

}  // namespace fpo
