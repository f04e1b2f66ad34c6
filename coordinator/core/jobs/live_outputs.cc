#include "coordinator/core/jobs/live_outputs.h"

#include <filesystem>

#include "absl/strings/match.h"
#include "common/job/job_file.h"
#include "common/object_store/object_url.h"

namespace fpo::coordinator {
namespace {

std::string WithSlash(const std::string& folder) {
  return absl::EndsWith(folder, "/") ? folder : folder + "/";
}

}  // namespace

std::string OutputFolderOf(const JobConfig& config) {
  if (config.output.empty() || config.kind == "reference") return "";  // only records
  if (IsUrl(config.output)) return config.output;
  std::string folder = std::filesystem::path(config.output).lexically_normal().string();
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  // POSIX allows "//" to differ from "/"; here it does not.
  return absl::StartsWith(folder, "//") ? folder.substr(1) : folder;
}

void AddOlderFields(const std::string& config_json, JobDemand* demand) {
  if (demand->config_bytes != 0) return;
  demand->config_bytes = static_cast<int64_t>(config_json.size());
  const absl::StatusOr<JobConfig> config = ReadJobJson(config_json);
  if (config.ok()) demand->output = OutputFolderOf(*config);
}

void LiveOutputs::Note(const std::string& output, const std::string& job_id, bool live) {
  if (output.empty()) return;
  const std::string key = WithSlash(output);
  if (live) {
    jobs_[key].insert(job_id);
    return;
  }
  const auto found = jobs_.find(key);
  if (found == jobs_.end()) return;
  found->second.erase(job_id);
  if (found->second.empty()) jobs_.erase(found);
}

std::vector<std::string> LiveOutputs::HoldersOf(const std::string& output) const {
  std::vector<std::string> holders;
  if (output.empty()) return holders;
  const std::string key = WithSlash(output);
  const auto add = [&](const auto& entry) {
    holders.insert(holders.end(), entry.second.begin(), entry.second.end());
  };
  for (size_t slash = key.find('/'); slash + 1 < key.size(); slash = key.find('/', slash + 1)) {
    const auto above = jobs_.find(key.substr(0, slash + 1));
    if (above != jobs_.end()) add(*above);
  }
  for (auto it = jobs_.lower_bound(key); it != jobs_.end(); ++it) {
    if (!absl::StartsWith(it->first, key)) break;
    add(*it);
  }
  return holders;
}

}  // namespace fpo::coordinator
