#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/object_store/object_store.h"

namespace fpo::worker {

// A file by its content. It is not removed while `hold` lives.
struct FetchedBlob {
  Digest sha256{};
  int64_t bytes = 0;
  std::string path;
  bool was_here = false;  // nothing was transferred
  std::shared_ptr<void> hold;
};

// The contents of objects, each transferred once: FOLDER/blobs/<sha256>, read-only. What is there
// under another name, from another bucket or of an earlier version is transferred again, and kept
// once. FOLDER/objects/ remembers which content an object with that ETag has, FOLDER/partial/ holds
// what was begun, which goes on after a restart. Thread-safe.
class FetchedBlobs {
 public:
  struct Options {
    std::string folder;
    int64_t disk_reserve_bytes = 0;  // left free on the file system
    // Makes room for so many bytes more, as far as it can, before they are transferred.
    std::function<absl::Status(int64_t bytes)> make_room;
  };

  // Removes what was begun and not gone on with for a week.
  FetchedBlobs(Options options, ObjectStore* store);

  // The content of the object as `listed` (bytes and ETag). Whoever asks for an object that is on
  // its way waits for it. `on_bytes` gets what has arrived since its last call. FailedPrecondition:
  // the object is another one by now; DataLoss: what arrived is not what the object states;
  // ResourceExhausted: no space; Cancelled; else the store's errors.
  absl::StatusOr<FetchedBlob> Fetch(const ObjectName& name, const ObjectInfo& listed,
                                    const std::function<void(int64_t)>& on_bytes,
                                    std::stop_token stop);

  // Removes the files that nothing links to or holds; how many bytes that were.
  int64_t RemoveUnused();
  int64_t BytesUsed() const;

 private:
  absl::StatusOr<FetchedBlob> Find(const std::string& record, const ObjectInfo& listed);
  absl::StatusOr<Digest> Transfer(const ObjectName& name, const ObjectInfo& listed,
                                  const std::function<void(int64_t)>& on_bytes,
                                  std::stop_token stop);
  absl::Status Keep(const std::string& partial, const std::string& blob) const;
  std::string BlobPath(const Digest& sha256) const;
  std::shared_ptr<void> Hold(const Digest& sha256);

  const Options options_;
  ObjectStore* const store_;
  mutable absl::Mutex mutex_;
  std::set<std::string> on_their_way_ ABSL_GUARDED_BY(mutex_);  // by record
  std::map<Digest, int> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::worker
