#include "worker/core/reference/prepared_data.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "common/files/posix_status.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"

namespace fpo::worker {
namespace {

constexpr int64_t kPrepareBytesMax = 1 << 20;

}  // namespace

bool IsPrepared(const std::string& folder, bool with_reference) {
  std::vector<std::string> files = {"prepare.json", "train.safetensors"};
  if (with_reference) files.insert(files.end(), {"reference.json", "reference.keys"});
  return std::all_of(files.begin(), files.end(), [&](const std::string& file) {
    std::error_code error;
    return std::filesystem::exists(folder + "/" + file, error);
  });
}

std::string PreparedDigest(const std::string& folder) {
  const absl::StatusOr<std::string> text = ReadFile(folder + "/prepare.json", kPrepareBytesMax);
  if (!text.ok()) return "";
  const absl::StatusOr<nlohmann::json> json = ParseJson(*text);
  std::string digest;
  if (!json.ok() || !ReadMember(*json, "digest", &digest).ok()) return "";
  return digest;
}

}  // namespace fpo::worker
