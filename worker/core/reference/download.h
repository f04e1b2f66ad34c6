#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "common/hash.h"
#include "common/reference/record_file.h"
#include "worker/core/cache_link.h"
#include "worker/core/reference/record_store.h"

namespace fpo::worker {

// The records of one download so far: from other local files, or from streams, each of which
// resumes where the one before broke. They are written in the list's order. Not thread-safe.
class Download {
 public:
  // `list` outlives it.
  Download(const RecordList& list, std::vector<std::unique_ptr<RecordFile>> local,
           std::unique_ptr<RecordFileWriter> writer);

  int64_t cursor() const { return cursor_; }  // records written
  bool complete() const { return cursor_ == static_cast<int64_t>(list_.keys.size()); }

  // Writes local records from the cursor on, up to the first that is not local.
  absl::Status TakeLocal();
  // The request to send to the cache now.
  PullRequest StartStream();
  // DataLoss: not the expected frame; the good records before the bad one are written.
  absl::Status Take(const RecordFrame& frame);
  absl::Status CheckEnd() const;  // Unavailable: the stream ended early
  absl::Status Write();           // fsync and rename

 private:
  const RecordList& list_;
  const std::vector<std::unique_ptr<RecordFile>> local_;
  const std::unique_ptr<RecordFileWriter> writer_;
  std::vector<int64_t> remote_;  // ordinals that no local file has, ascending
  size_t next_remote_ = 0;
  int64_t cursor_ = 0;
  SequenceDigest stream_digest_;
};

}  // namespace fpo::worker
