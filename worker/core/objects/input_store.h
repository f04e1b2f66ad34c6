#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/object_store/object_store.h"
#include "worker/core/objects/fetched_blobs.h"

namespace fpo::worker {

// What a URL of a job stands for on this host.
struct StoredInput {
  std::string path;     // the file, the folder, or a pattern of files
  std::string content;  // "sha256:..." of names and contents: the same for the same files
  int64_t files = 0;
  int64_t bytes = 0;
  int64_t bytes_fetched = 0;   // now; the rest was here
  std::shared_ptr<void> hold;  // as long as this lives, the files stay
};

// Inputs of jobs from an object store, WORK/inputs: fetched once, verified, and used by every later
// job with the same files, whatever bucket they came from. FOLDER/trees/<content>/ is an input as a
// job sees it, read-only links to FetchedBlobs. Beyond `bytes_max` those used longest ago are
// removed, but none that is held. Thread-safe.
class InputStore {
 public:
  struct Options {
    std::string folder;
    int64_t bytes_max = int64_t{512} << 30;
    int64_t disk_reserve_bytes = 0;
  };
  // Bytes that are here of those that the input has.
  using OnProgress = std::function<void(int64_t present, int64_t total)>;

  InputStore(Options options, ObjectStore* store);

  // An object, everything below a prefix, or what matches a pattern (*, ?, [] within one part of
  // the name). NotFound: there is none; InvalidArgument: a key that cannot be a file's name, or
  // more than 20,000 objects; the errors of FetchedBlobs.
  absl::StatusOr<StoredInput> Fetch(const ObjectName& name, const OnProgress& on_progress,
                                    std::stop_token stop);

 private:
  // Objects by the name that each has in the input.
  using Listing = std::map<std::string, ObjectInfo>;

  absl::StatusOr<Listing> ListInput(const ObjectName& name, std::string* shown_as);
  absl::Status MakeTree(const std::map<std::string, FetchedBlob>& blobs, const std::string& tree);
  absl::Status MakeRoom(int64_t bytes);
  bool RemoveOldestTree();
  std::shared_ptr<void> HoldTree(const std::string& tree);

  const Options options_;
  ObjectStore* const store_;
  absl::Mutex mutex_;
  std::map<std::string, int> held_ ABSL_GUARDED_BY(mutex_);  // by folder name
  FetchedBlobs blobs_;
};

}  // namespace fpo::worker
