#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/backoff.h"
#include "common/hash.h"
#include "common/reference/recipe.h"
#include "common/reference/record_file.h"
#include "worker/core/cache_link.h"

namespace fpo::worker {

class Download;

// Which records, in which order.
struct RecordList {
  Digest manifest{};
  Recipe recipe;
  std::vector<Digest> keys;
};

// The record files of this host, WORK/records/<manifest>.fpr: pulled once, used by every later job
// with the same data and reference. Thread-safe.
class RecordStore {
 public:
  struct Options {
    std::string folder;
    // beyond it older files are removed, but none used within the last hour
    int64_t bytes_max = int64_t{64} << 30;
    int broken_streams_max = 5;  // in a row without a new record
    int local_files_max = 4;     // searched for records that need no download
    Backoff::Options backoff = {.first = absl::Milliseconds(100), .most = absl::Seconds(5)};
  };

  RecordStore(Options options, CacheLink* cache) : options_(std::move(options)), cache_(cache) {}

  // The verified local file, or NotFound. One that is damaged or not this list's is removed.
  absl::StatusOr<std::string> Find(const RecordList& list);

  // Downloads a complete manifest: every record's digest, key and position is checked, then fsync
  // and rename. Records in other files of this recipe are copied from there, and only the rest is
  // transferred. A broken stream resumes after the last good record. `on_record_count` gets the
  // number present, `on_broken` why a stream ended that is tried again. Errors are the cache's, or
  // DataLoss.
  absl::StatusOr<std::string> Pull(
      const RecordList& list, const std::function<void(int64_t)>& on_record_count,
      std::stop_token stop,
      const std::function<void(const absl::Status&)>& on_broken = [](const absl::Status&) {});

 private:
  std::string PathOf(const Digest& manifest) const;
  // Files of the same recipe, last used first; damaged ones are removed.
  std::vector<std::unique_ptr<RecordFile>> LocalFiles(const RecordList& list) const;
  absl::Status Stream(Download* download, const std::function<void(int64_t)>& on_record_count,
                      std::stop_token stop,
                      const std::function<void(const absl::Status&)>& on_broken);
  void MakeRoom(const std::string& keep) const;

  const Options options_;
  CacheLink* const cache_;
};

}  // namespace fpo::worker
