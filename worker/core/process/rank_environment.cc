#include "worker/core/process/rank_environment.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace fpo::worker {
namespace {

constexpr absl::string_view kVisibleDevices = "CUDA_VISIBLE_DEVICES";

bool IsSecret(absl::string_view name) {
  const std::string upper = absl::AsciiStrToUpper(name);
  if (absl::StartsWith(upper, "AWS_")) return true;  // the agent fetches and pushes
  for (const char* word : {"TOKEN", "SECRET", "PASSWD", "PASSWORD", "PASSPHRASE", "CREDENTIAL",
                           "ACCESS_KEY", "API_KEY", "PRIVATE_KEY", "COOKIE", "WEBHOOK"}) {
    if (absl::StrContains(upper, word)) return true;
  }
  // AUTH as a word: HTTP_AUTH_HEADER, not AUTHOR.
  const std::string parts = absl::StrCat("_", upper, "_");
  for (const char* word :
       {"_AUTH_", "_AUTHORIZATION_", "_PASS_", "_PWD_", "_KEY_", "_DSN_", "_HEADERS_"}) {
    if (absl::StrContains(parts, word) && upper != "PWD" && upper != "OLDPWD") return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> IdentityEnvironment(const RankIdentity& identity) {
  return {absl::StrCat("FPO_ATTEMPT=", AttemptName(identity.attempt)),
          absl::StrCat("FPO_RANK=", identity.rank)};
}

std::vector<std::string> RankEnvironment(const std::vector<std::string>& inherited,
                                         const RankIdentity& identity, const std::string& device) {
  std::vector<std::string> environment;
  for (const std::string& entry : inherited) {
    const std::string name = entry.substr(0, entry.find('='));
    if (IsSecret(name) || name == "FPO_ATTEMPT" || name == "FPO_RANK") continue;
    if (name == "TRACEPARENT" || name == "TRACESTATE") continue;  // of whoever started the agent
    if (name == kVisibleDevices && !device.empty()) continue;
    environment.push_back(entry);
  }
  if (!device.empty()) {
    environment.push_back(absl::StrCat(kVisibleDevices, "=", device));
  }
  for (std::string& entry : IdentityEnvironment(identity)) environment.push_back(std::move(entry));
  return environment;
}

}  // namespace fpo::worker
