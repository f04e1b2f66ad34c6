#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/hash.h"

namespace fpo {

// What a folder holds: FOLDER/manifest.json, written last, names every other file with its bytes
// and SHA-256, so that a lost, an added and a changed file are noticed by whoever reads it.
struct ManifestFile {
  std::optional<int64_t> bytes;  // not in every checkpoint's
  Digest sha256 = {};
};
using FolderManifest = std::map<std::string, ManifestFile>;  // by name relative to the folder

inline constexpr char kManifestName[] = "manifest.json";

// Reads all files. Durable on return.
absl::Status WriteFolderManifest(const std::string& folder);

// NotFound: there is none; DataLoss: it is of another form.
absl::StatusOr<FolderManifest> ReadFolderManifest(const std::string& folder);

// The digest by which another place remembers the whole folder. Hex.
absl::StatusOr<std::string> ManifestDigest(const std::string& folder);

}  // namespace fpo
