#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/hash.h"
#include "coordinator/core/store/store_identity.h"

namespace fpo::coordinator {

// What a backup of the jobs' store holds: the text file BACKUP in its folder, written last.
struct BackupManifest {
  struct File {
    std::string name;
    int64_t bytes = 0;
    Digest sha256;

    bool operator==(const File&) const = default;
  };
  std::string store_id = {};
  uint64_t revision = 0;  // of the newest change in it
  absl::Time time = {};   // when it was begun
  int64_t jobs = 0;
  std::vector<File> files = {};  // all but BACKUP, by name

  bool operator==(const BackupManifest&) const = default;
  int64_t bytes() const;
};

// Makes every file of the folder durable and notes its size and digest.
absl::StatusOr<std::vector<BackupManifest::File>> DigestFiles(const std::string& folder);
absl::Status WriteBackupManifest(const std::string& folder, const BackupManifest& manifest);
// NotFound: the folder has none, so it is no finished backup. DataLoss: it is damaged.
absl::StatusOr<BackupManifest> ReadBackupManifest(const std::string& folder);
// Copies the files of a backup into a new folder and compares the copies with their digests.
// DataLoss names the file that differs or is missing.
absl::Status CopyBackup(const std::string& backup, const BackupManifest& manifest,
                        const std::string& target);

}  // namespace fpo::coordinator
