#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/object_store/object_store.h"

namespace fpo::worker {

// An output folder whose lasting copy is below a prefix of an object store. The copy is what
// counts: an attempt begins with what is there, on whatever host, and a checkpoint counts once all
// of it is there, its manifest last. output.json is written after everything else and names every
// file with bytes and SHA-256; without it the output is not complete. Not thread-safe.
class OutputMirror {
 public:
  struct Options {
    ObjectName prefix;
    std::string folder;  // the local copy; this object's own
    std::string job_id;
    uint64_t epoch = 0;  // of the job; only grows
  };

  OutputMirror(Options options, ObjectStore* store) : options_(std::move(options)), store_(store) {}

  // Makes the folder what the store has, except the exported model: complete checkpoints up to
  // `discard_after_step` (0: all) and the files beside them. What else is there is removed.
  absl::Status Pull(int64_t discard_after_step, const std::function<void(const std::string&)>& note,
                    std::stop_token stop);

  // From here on this attempt writes there. FailedPrecondition: a later one of the job does.
  absl::Status Claim();

  // Sends what is new, and removes checkpoints that the trainer has removed. `finished`: also what
  // else is gone, and output.json. FailedPrecondition as above.
  absl::Status Push(bool finished, std::stop_token stop);

  // Removes everything that an earlier run has left there.
  absl::Status RemoveAll();

 private:
  // What tells whether a file is still the one that was sent or fetched.
  struct Mark {
    int64_t bytes = 0;
    int64_t modified_ns = 0;
    uint64_t inode = 0;
    bool operator==(const Mark&) const = default;
  };
  struct Sent {
    Mark mark;
    Digest sha256{};
  };

  ObjectName NameOf(const std::string& file) const;
  std::string PathOf(const std::string& file) const;
  absl::Status CheckClaim();
  absl::StatusOr<bool> FetchFile(const std::string& file, std::stop_token stop);
  void RemoveOthers(const std::set<std::string>& wanted) const;
  std::vector<std::string> LocalFiles() const;
  absl::Status Send(const std::string& file, std::stop_token stop);
  absl::Status Remove(const std::string& file);
  absl::Status RemoveGone(bool finished);
  absl::Status WriteIndex();
  static absl::StatusOr<Mark> MarkOf(const std::string& path);

  const Options options_;
  ObjectStore* const store_;
  std::set<std::string> there_;       // names in the store
  std::map<std::string, Sent> sent_;  // of those, what is the same here
};

}  // namespace fpo::worker
