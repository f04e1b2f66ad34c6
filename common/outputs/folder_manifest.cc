#include "common/outputs/folder_manifest.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/files/open_folder.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"

namespace fpo {
namespace {

constexpr size_t kFilesMax = 4096;
constexpr int64_t kManifestBytesMax = int64_t{4} << 20;

std::string ManifestPath(const std::string& folder) {
  return absl::StrCat(folder, "/", kManifestName);
}

}  // namespace

absl::Status WriteFolderManifest(const std::string& folder) {
  FPO_ASSIGN_OR_RETURN(const OpenFolder opened, OpenFolder::Open(folder));
  FPO_ASSIGN_OR_RETURN(const std::vector<OpenFolder::Entry> entries, opened.List("", kFilesMax));
  nlohmann::ordered_json json;
  json["version"] = 1;
  json["files"] = nlohmann::ordered_json::object();
  for (const OpenFolder::Entry& entry : entries) {
    if (entry.name == kManifestName) continue;
    FPO_ASSIGN_OR_RETURN(const Digest digest, Sha256OfFile(absl::StrCat(folder, "/", entry.name)));
    json["files"][entry.name] = {{"bytes", entry.bytes}, {"sha256", ToHex(digest)}};
  }
  return WriteFileAtomically(ManifestPath(folder), json.dump(2) + "\n");
}

absl::StatusOr<FolderManifest> ReadFolderManifest(const std::string& folder) {
  const std::string path = ManifestPath(folder);
  const auto bad = [&](absl::string_view why) {
    return absl::DataLossError(absl::StrCat(path, " is not a manifest: ", why));
  };
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kManifestBytesMax));
  const absl::StatusOr<nlohmann::json> json = ParseJson(text);
  if (!json.ok()) return bad(json.status().message());
  const nlohmann::json* const files = FindMember(*json, "files");
  if (files == nullptr || !files->is_object()) return bad("it has no files");
  FolderManifest manifest;
  for (const auto& [name, file] : files->items()) {
    ManifestFile entry;
    std::string hex;
    absl::Status status = CheckRelativeName(name);
    if (status.ok() && FindMember(file, "bytes") != nullptr) {
      status = ReadMember(file, "bytes", &entry.bytes.emplace());
    }
    if (status.ok()) status = ReadMember(file, "sha256", &hex);
    const absl::StatusOr<Digest> digest = DigestFromHex(hex);
    if (!status.ok() || !digest.ok()) return bad(absl::StrCat("its entry \"", name, "\""));
    entry.sha256 = *digest;
    manifest.emplace(name, entry);
  }
  return manifest;
}

absl::StatusOr<std::string> ManifestDigest(const std::string& folder) {
  FPO_ASSIGN_OR_RETURN(const Digest digest, Sha256OfFile(ManifestPath(folder)));
  return ToHex(digest);
}

}  // namespace fpo
