#include "worker/core/objects/job_inputs.h"

#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/job/job_paths.h"
#include "common/object_store/object_url.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"
#include "worker/core/objects/hub_cache.h"

namespace fpo::worker {
namespace {

constexpr char kInputsName[] = "inputs.json";
constexpr int64_t kInputsBytesMax = 1 << 20;
constexpr absl::Duration kActivityInterval = absl::Seconds(1);

std::string Mebibytes(int64_t bytes) {
  return absl::StrFormat("%.1f MiB", static_cast<double>(bytes) / (1 << 20));
}

// What a user can mend ends the job with its message; an attempt elsewhere would find the same.
absl::Status OfInput(const std::string& key, const absl::Status& status) {
  const std::string message = absl::StrCat(key, ": ", status.message());
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kDataLoss:
      return absl::InvalidArgumentError(message);
    default:
      return absl::Status(status.code(), message);
  }
}

}  // namespace

absl::Status JobInputs::Fetch(JobConfig* config, const Observer& observer, std::stop_token stop) {
  std::map<std::string, std::string> paths;  // by URL: a job may name one twice
  for (const JobPath& input : JobPaths(config)) {
    if (!IsUrl(*input.path) || !IsRead(*config, input)) continue;
    auto known = paths.find(*input.path);
    if (known == paths.end()) {
      const absl::StatusOr<std::string> path = PathOf(*input.path, observer, stop);
      if (!path.ok()) return OfInput(input.key, path.status());
      known = paths.emplace(*input.path, *path).first;
    }
    *input.path = known->second;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> JobInputs::PathOf(const std::string& url, const Observer& observer,
                                              std::stop_token stop) {
  return IsHubUrl(url) ? PathOfHub(url, observer) : PathOfObjects(url, observer, stop);
}

absl::StatusOr<std::string> JobInputs::PathOfObjects(const std::string& url,
                                                     const Observer& observer,
                                                     std::stop_token stop) {
  FPO_RETURN_IF_ERROR(CheckUrlPlace(options_.places, url, /*writes=*/false));
  FPO_ASSIGN_OR_RETURN(const ObjectName name, ParseS3Url(url));
  if (store_ == nullptr) {
    return absl::FailedPreconditionError("this worker's AWS_... variables are wrong; see its log");
  }
  absl::Time last = absl::InfinitePast();
  const auto on_progress = [&](int64_t present, int64_t total) {
    if (BootNow() - last < kActivityInterval) return;
    last = BootNow();
    observer.on_activity(
        absl::StrCat("fetching ", url, ": ", Mebibytes(present), " of ", Mebibytes(total)));
  };
  const absl::Time began = BootNow();
  FPO_ASSIGN_OR_RETURN(const StoredInput input, store_->Fetch(name, on_progress, stop));
  observer.on_note(absl::StrFormat("input %s: %d files, %s, %s fetched in %.1f s, content %s", url,
                                   input.files, Mebibytes(input.bytes),
                                   Mebibytes(input.bytes_fetched),
                                   absl::ToDoubleSeconds(BootNow() - began), input.content));
  contents_.push_back({url, input.content, input.files, input.bytes});
  holds_.push_back(input.hold);
  return input.path;
}

absl::StatusOr<std::string> JobInputs::PathOfHub(const std::string& url, const Observer& observer) {
  FPO_ASSIGN_OR_RETURN(const HubPath hub, ParseHubUrl(url));
  FPO_ASSIGN_OR_RETURN(const HubSnapshot snapshot, FindHubSnapshot(options_.hub_cache, hub));
  FPO_RETURN_IF_ERROR(CheckReadable(options_.places, snapshot.path));
  observer.on_note(
      absl::StrCat("input ", url, ": commit ", snapshot.commit, " in ", options_.hub_cache));
  contents_.push_back({url, absl::StrCat("commit:", snapshot.commit), 0, 0});
  return snapshot.path;
}

absl::Status JobInputs::CheckUnchanged(const std::string& folder) const {
  const auto text = ReadFile(absl::StrCat(folder, "/", kInputsName), kInputsBytesMax);
  if (contents_.empty() || absl::IsNotFound(text.status())) return absl::OkStatus();
  FPO_RETURN_IF_ERROR(text.status());
  const absl::StatusOr<nlohmann::json> json = ParseJson(*text);
  const nlohmann::json* inputs = json.ok() ? FindMember(*json, "inputs") : nullptr;
  if (inputs == nullptr || !inputs->is_array()) {
    return absl::DataLossError(
        absl::StrCat(folder, "/", kInputsName, " is not one of this worker"));
  }
  std::map<std::string, std::string> before;
  for (const nlohmann::json& input : *inputs) {
    std::string url, content;
    FPO_RETURN_IF_ERROR(ReadMember(input, "url", &url));
    FPO_RETURN_IF_ERROR(ReadMember(input, "content", &content));
    before[url] = content;
  }
  for (const Content& now : contents_) {
    const auto then = before.find(now.url);
    if (then == before.end() || then->second == now.content) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        now.url, " changed since the job began to read it (", then->second, " then, ", now.content,
        " now), so the run would go on with other data; put back what was there, or submit the job "
        "with another folder: --set output=..."));
  }
  return absl::OkStatus();
}

absl::Status JobInputs::Remember(const std::string& folder) const {
  const std::string path = absl::StrCat(folder, "/", kInputsName);
  std::error_code error;
  if (contents_.empty() || std::filesystem::exists(path, error)) return absl::OkStatus();
  nlohmann::json inputs = nlohmann::json::array();
  for (const Content& each : contents_) {
    inputs.push_back({{"url", each.url},
                      {"content", each.content},
                      {"files", each.files},
                      {"bytes", each.bytes}});
  }
  const nlohmann::json json = {{"inputs", std::move(inputs)}};
  FPO_RETURN_IF_ERROR(MakeParentFolder(path));
  return WriteFileAtomically(path, json.dump(2) + "\n");
}

}  // namespace fpo::worker
