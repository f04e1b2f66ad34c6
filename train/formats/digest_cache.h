#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/hash.h"

namespace fpo::train {

// Digests of large files, kept from one process to the next: hashing a model's weights reads all of
// them. A digest counts only for the same files: each with its path, size, times of change, inode
// and device. Any number of processes may use one folder. Errors of the folder cost a computation,
// nothing else.
class DigestCache {
 public:
  // A file that was changed so short a time before it was read may change again without another
  // time of change.
  static constexpr absl::Duration kSettled = absl::Seconds(3);
  static constexpr size_t kEntriesMax = 512;  // one per list of files; the oldest go first

  // An empty folder keeps nothing. The clock must outlive the cache.
  explicit DigestCache(std::string folder, const Clock& clock = TheSystemClock());

  // The digest that was kept for `kind` of these files, or what `compute` returns, which is then
  // kept unless a file changes meanwhile or has just changed.
  absl::StatusOr<Digest> Of(const std::string& kind, const std::vector<std::string>& files,
                            const std::function<absl::StatusOr<Digest>()>& compute) const;

 private:
  std::string EntryPath(const std::string& kind, const std::vector<std::string>& files) const;
  std::optional<Digest> Find(const std::string& entry, const std::string& stamps) const;
  void Keep(const std::string& entry, const std::string& stamps, const Digest& digest) const;
  void DropOldest() const;

  static const Clock& TheSystemClock();
  const std::string folder_;
  const Clock& clock_;
};

// The cache for this process's model weights; one per process, as for failpoints: digests are asked
// for deep inside. At first, and after null, it keeps nothing. Set it before there are threads.
void SetProcessDigests(std::unique_ptr<const DigestCache> cache);
const DigestCache& ProcessDigests();

}  // namespace fpo::train
