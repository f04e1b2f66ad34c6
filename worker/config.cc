#include "worker/config.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/object_store/object_url.h"
#include "common/rpc/security/peer_address.h"
#include "common/status_macros.h"
#include "common/text/worker_name.h"

namespace fpo::worker {
namespace {

absl::Status Require(bool holds, const std::string& message) {
  return holds ? absl::OkStatus() : absl::InvalidArgumentError(message);
}

absl::Status CheckAbsolute(const char* flag, const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    if (folder.rfind('/', 0) == 0) continue;
    if (IsUrl(folder)) {
      FPO_RETURN_IF_ERROR(AboutFlag(flag, ParseS3Url(folder).status()));
      continue;
    }
    return absl::InvalidArgumentError(
        absl::StrCat(flag, ": \"", folder, "\" is not an absolute path or s3://BUCKET/PREFIX"));
  }
  return absl::OkStatus();
}

absl::Status CheckJudgeServer(const std::string& url, const std::string& key_file) {
  const bool is_url = absl::StartsWith(url, "https://") || absl::StartsWith(url, "http://");
  if (is_url && (key_file.empty() || key_file[0] == '/')) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--judge: \"", url, key_file.empty() ? "" : "=", key_file,
      "\" is not a URL, or a URL with the absolute path of its key: https://host/v1=/etc/fpo/key"));
}

bool AllOnLoopback(const std::string& coordinators) {
  const std::vector<std::string> addresses = SplitAddresses(coordinators);
  return std::all_of(addresses.begin(), addresses.end(),
                     [](const std::string& address) { return IsLoopback(address); });
}

}  // namespace

bool WorkerConfig::IsPlainLocal() const {
  return AllOnLoopback(coordinator) && token_file.empty() && listen.tls.empty();
}

absl::Status WorkerConfig::CheckRoots() const {
  for (const auto* folders : {&roots, &output_roots}) {
    for (const std::string& folder : *folders) {
      std::error_code error;
      if (IsUrl(folder) || std::filesystem::is_directory(folder, error)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("--root and --output-root name folders; ", folder, " is none on this host"));
    }
  }
  return absl::OkStatus();
}

std::map<std::string, std::string> WorkerConfig::JudgeServers() const {
  std::map<std::string, std::string> servers;
  for (const std::string& judge : judges) {
    const size_t equals = judge.find('=');
    const bool has_key = equals != std::string::npos;
    std::string url = judge.substr(0, equals);
    while (absl::EndsWith(url, "/")) url.pop_back();
    servers[url] = has_key ? judge.substr(equals + 1) : "";
  }
  return servers;
}

absl::Status WorkerConfig::CheckUser(bool is_root) const {
  return Require(!is_root || allow_root || IsPlainLocal(),
                 "this worker would run every user's jobs as root: start it as a user of its own "
                 "(docker run --user, User= in a systemd unit), or accept the risk with "
                 "--allow-root");
}

absl::Status WorkerConfig::Validate() const {
  FPO_RETURN_IF_ERROR(ValidateListen(listen));
  FPO_RETURN_IF_ERROR(AboutFlag("--coordinator", CheckPeerAddresses(coordinator)));
  FPO_RETURN_IF_ERROR(AboutFlag("--cache", CheckPeerAddress(cache)));
  FPO_RETURN_IF_ERROR(Require(!work_dir.empty(),
                              "--work-dir is missing: a folder for jobs, "
                              "records and unsent logs"));
  FPO_RETURN_IF_ERROR(
      Require(IsWorkerName(name),
              absl::StrCat("--name: \"", name,
                           "\" must be 1 to 253 of letters, digits, '.', '_' and '-'")));
  FPO_RETURN_IF_ERROR(Require(slots >= 1 && slots <= 1024,
                              absl::StrCat("--slots: ", slots, " is not between 1 and 1024")));
  FPO_RETURN_IF_ERROR(Require(grace >= absl::ZeroDuration() && grace <= absl::Hours(1),
                              "--grace must lie between 0s and 1h"));
  FPO_RETURN_IF_ERROR(
      Require(exit_when_idle >= absl::ZeroDuration() && exit_when_idle <= absl::Hours(24 * 30),
              "--exit-when-idle must lie between 0s and 720h"));
  FPO_RETURN_IF_ERROR(Require(device == "auto" || device == "cpu" || device == "cuda",
                              absl::StrCat("--device: \"", device, "\" is not auto, cpu or cuda")));
  FPO_RETURN_IF_ERROR(
      Require(cgroup == "auto" || cgroup == "off" || cgroup.rfind('/', 0) == 0,
              absl::StrCat("--cgroup: \"", cgroup, "\" is not auto, off or an absolute path")));
  FPO_RETURN_IF_ERROR(CheckAbsolute("--root", roots));
  FPO_RETURN_IF_ERROR(CheckAbsolute("--output-root", output_roots));
  for (const auto& [url, key_file] : JudgeServers()) {
    FPO_RETURN_IF_ERROR(CheckJudgeServer(url, key_file));
  }
  FPO_RETURN_IF_ERROR(
      Require(!roots.empty() || !output_roots.empty() || AllOnLoopback(coordinator),
              absl::StrCat("--coordinator ", coordinator,
                           " is on another machine, whose users choose the paths of jobs: name the "
                           "folders that jobs may read with --root DIR and those that they may "
                           "write with --output-root DIR")));
  FPO_RETURN_IF_ERROR(Require(memory_max_mib == 0 || cgroup != "off",
                              "--memory-max-mib needs a cgroup; leave out --cgroup off"));
  return Require(
      access(trainer.c_str(), X_OK) == 0,
      absl::StrCat("--trainer: ", trainer,
                   " is not a program that this user may run; build fpo-train or give its "
                   "path"));
}

}  // namespace fpo::worker
