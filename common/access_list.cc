#include "common/access_list.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/error_info.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "common/text/principal_name.h"
#include "common/text/worker_name.h"
#include "nlohmann/json.hpp"

namespace fpo {
namespace {

constexpr size_t kEntriesMax = 10'000;
constexpr size_t kNameBytesMax = 64;
constexpr std::pair<Role, const char*> kRoles[] = {{Role::kReader, "reader"},
                                                   {Role::kUser, "user"},
                                                   {Role::kWorker, "worker"},
                                                   {Role::kAdmin, "admin"}};

absl::Status Wrong(size_t entry, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("principals[", entry, "]: ", what));
}

absl::Status CheckName(absl::string_view name) {
  if (IsPrincipalName(name)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("\"", name, "\" must be 1 to ", kNameBytesMax,
                                                 " letters, digits or any of - _ . @"));
}

absl::Status CheckKeys(const nlohmann::json& entry) {
  for (const auto& [key, value] : entry.items()) {
    if (key != "name" && key != "role" && key != "groups" && key != "token_sha256" &&
        key != "certificate" && key != "expires" && key != "workers") {
      return absl::InvalidArgumentError(absl::StrCat(
          "unknown key \"", key,
          "\"; known are name, role, groups, workers, token_sha256, certificate, expires"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ReadGroups(const nlohmann::json& entry) {
  std::vector<std::string> groups;
  const nlohmann::json* list = FindMember(entry, "groups");
  if (list == nullptr || !list->is_array()) return groups;
  for (const nlohmann::json& group : *list) {
    const std::string name = group.is_string() ? group.get<std::string>() : "";
    FPO_RETURN_IF_ERROR(CheckName(name));
    groups.push_back(name);
  }
  return groups;
}

absl::StatusOr<std::vector<std::string>> ReadWorkers(const nlohmann::json& entry, Role role) {
  std::vector<std::string> workers;
  const nlohmann::json* list = FindMember(entry, "workers");
  if (list == nullptr) return workers;
  if (!list->is_array() || role != Role::kWorker) {
    return absl::InvalidArgumentError("workers: a list of names, for role worker only");
  }
  for (const nlohmann::json& each : *list) {
    const std::string text = each.is_string() ? each.get<std::string>() : "";
    const std::string name(absl::StripSuffix(text, "*"));
    if (!IsWorkerName(name)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "workers: \"", text, "\" is not a worker's name, or its beginning before a *"));
    }
    workers.push_back(text);
  }
  return workers;
}

absl::Status ReadExpiry(const nlohmann::json& entry, absl::Time* expires) {
  std::string text;
  FPO_RETURN_IF_ERROR(ReadMember(entry, "expires", &text));
  std::string error;
  if (text.empty() || absl::ParseTime(absl::RFC3339_full, text, expires, &error)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("expires: \"", text, "\" is not a time like 2027-01-31T00:00:00Z"));
}

absl::StatusOr<AccessEntry> ReadEntry(const nlohmann::json& value) {
  if (!value.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat("is ", JsonTypeName(value), ", not an object"));
  }
  FPO_RETURN_IF_ERROR(CheckKeys(value));
  AccessEntry entry;
  std::string role, hash;
  FPO_RETURN_IF_ERROR(ReadMember(value, "name", &entry.principal.name));
  FPO_RETURN_IF_ERROR(CheckName(entry.principal.name));
  FPO_RETURN_IF_ERROR(ReadMember(value, "role", &role));
  FPO_ASSIGN_OR_RETURN(entry.principal.role, ParseRole(role));
  FPO_ASSIGN_OR_RETURN(entry.principal.groups, ReadGroups(value));
  FPO_ASSIGN_OR_RETURN(entry.principal.workers, ReadWorkers(value, entry.principal.role));
  FPO_RETURN_IF_ERROR(ReadMember(value, "token_sha256", &hash));
  if (!hash.empty()) {
    FPO_ASSIGN_OR_RETURN(entry.token_sha256, DigestFromHex(hash));
  }
  FPO_RETURN_IF_ERROR(ReadMember(value, "certificate", &entry.certificate));
  FPO_RETURN_IF_ERROR(ReadExpiry(value, &entry.expires));
  if (entry.token_sha256.has_value() != entry.certificate.empty()) {
    return absl::InvalidArgumentError("needs either token_sha256 or certificate");
  }
  return entry;
}

std::string ToJson(const AccessEntry& entry) {
  JsonObject object;
  object.Add("name", entry.principal.name);
  object.Add("role", RoleName(entry.principal.role));
  for (const auto& [key, list] : {std::pair("groups", &entry.principal.groups),
                                  std::pair("workers", &entry.principal.workers)}) {
    if (list->empty()) continue;
    std::vector<std::string> items;
    for (const std::string& item : *list) items.push_back(JsonQuote(item));
    object.AddRaw(key, JsonArray(items));
  }
  if (entry.token_sha256) object.Add("token_sha256", ToHex(*entry.token_sha256));
  if (!entry.certificate.empty()) object.Add("certificate", entry.certificate);
  if (entry.expires != absl::InfiniteFuture()) {
    object.Add("expires", absl::FormatTime(absl::RFC3339_sec, entry.expires, absl::UTCTimeZone()));
  }
  return object.Text();
}

absl::StatusOr<Principal> Admit(const AccessEntry* entry, absl::string_view what, absl::Time now) {
  if (entry != nullptr && now < entry->expires) return entry->principal;
  const std::string text =
      entry == nullptr ? absl::StrCat("the ", what, " is not known to this server")
                       : absl::StrCat("the ", what, " of ", entry->principal.name, " has expired");
  return WithErrorInfo(
      absl::UnauthenticatedError(text),
      {.reason = ErrorReason::kUnauthenticated,
       .hint =
           "ask the server's administrator for another, or name the right file with --token-file"});
}

bool EqualInConstantTime(const Digest& a, const Digest& b) {
  unsigned different = 0;
  for (size_t i = 0; i < a.size(); ++i) different |= static_cast<unsigned>(a[i] ^ b[i]);
  return different == 0;
}

}  // namespace

absl::string_view RoleName(Role role) {
  for (const auto& [each, name] : kRoles) {
    if (each == role) return name;
  }
  return "";
}

absl::StatusOr<Role> ParseRole(absl::string_view word) {
  for (const auto& [role, name] : kRoles) {
    if (word == name) return role;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("role \"", word, "\" must be one of reader, user, worker, admin"));
}

bool Principal::MayBeWorker(absl::string_view worker_id) const {
  if (name.empty() || role == Role::kAdmin) return true;  // without a list, or an administrator
  if (workers.empty()) return worker_id == name;
  return std::any_of(workers.begin(), workers.end(), [&](absl::string_view pattern) {
    return absl::ConsumeSuffix(&pattern, "*") ? absl::StartsWith(worker_id, pattern)
                                              : worker_id == pattern;
  });
}

bool Principal::InGroup(absl::string_view group) const {
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

bool IsShare(absl::string_view word) {
  if (word == "public" || word == "private") return true;
  return absl::ConsumePrefix(&word, "group:") && CheckName(word).ok();
}

bool Reaches(absl::string_view share, absl::string_view owner, const Principal& reader) {
  if (reader.role >= Role::kWorker || share == "public" || owner == reader.name) return true;
  return absl::ConsumePrefix(&share, "group:") && reader.InGroup(share);
}

absl::StatusOr<AccessList> AccessList::Parse(absl::string_view json) {
  FPO_ASSIGN_OR_RETURN(const nlohmann::json root, ParseJson(json));
  const nlohmann::json* principals = FindMember(root, "principals");
  if (principals == nullptr || !principals->is_array()) {
    return absl::InvalidArgumentError("must be an object with a list \"principals\"");
  }
  const nlohmann::json& items = *principals;
  if (items.size() > kEntriesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(items.size(), " principals; at most ", kEntriesMax));
  }
  AccessList list;
  for (size_t i = 0; i < items.size(); ++i) {
    absl::StatusOr<AccessEntry> entry = ReadEntry(items[i]);
    if (!entry.ok()) return Wrong(i, entry.status().message());
    list.entries_.push_back(*std::move(entry));
  }
  return list;
}

std::string AccessList::ToJson() const {
  std::string text = "{\"principals\": [";
  for (size_t i = 0; i < entries_.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? "\n  " : ",\n  ", fpo::ToJson(entries_[i]));
  }
  return text + "\n]}\n";
}

absl::StatusOr<Principal> AccessList::OfToken(absl::string_view token, absl::Time now) const {
  const Digest hash = Sha256Of(token);
  const AccessEntry* found = nullptr;
  for (const AccessEntry& entry : entries_) {
    if (entry.token_sha256 && EqualInConstantTime(*entry.token_sha256, hash)) found = &entry;
  }
  return Admit(found, "token", now);
}

absl::StatusOr<Principal> AccessList::OfCertificate(const std::vector<std::string>& names,
                                                    absl::Time now) const {
  const AccessEntry* found = nullptr;
  for (const AccessEntry& entry : entries_) {
    const bool named = std::find(names.begin(), names.end(), entry.certificate) != names.end();
    if (named && !entry.certificate.empty() && found == nullptr) found = &entry;
  }
  return Admit(found, "client certificate", now);
}

std::string NewToken() { return "fpo_" + RandomId(32); }

absl::StatusOr<std::string> ReadTokenFile(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return PosixError(errno, "read the token file", path);
  if (S_ISDIR(status.st_mode)) return PosixError(EISDIR, "read the token file", path);
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("others may read the token file ", path, ": chmod 600 ", path));
  }
  std::ifstream file(path);
  std::string token;
  std::getline(file, token);
  token = std::string(absl::StripAsciiWhitespace(token));
  // The token is sent in a header, so all its characters must be printable.
  const bool printable = std::all_of(token.begin(), token.end(), absl::ascii_isgraph);
  if (!token.empty() && token.size() <= 256 && printable) return token;
  return absl::InvalidArgumentError(
      absl::StrCat("the token file ", path, " does not hold a token in its first line"));
}

}  // namespace fpo
