#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "proto/fpo/v1/coordinator.pb.h"

namespace fpo::coordinator {

// Files in transit from an agent to a user: holds one frame at most, so that a slow side costs no
// memory. Each side gives a callback that wakes it, which is called, under a lock, after the other
// side acted; with an empty one it leaves, and is not being woken then or afterwards. Thread-safe.
class ArtifactTransfer {
 public:
  using Wake = std::function<void()>;

  // The user's side.
  void SetReader(Wake wake);
  std::optional<fpo::v1::ReadArtifactResponse> Take();
  // How it ended, once every frame was taken.
  std::optional<absl::Status> End() const;
  void WakeReader();  // called by a clock

  // The agent's side. False: another one is pushing, or has pushed.
  bool SetPusher(Wake wake);
  void RemovePusher();
  // False: the previous frame was not taken yet.
  bool TryPut(fpo::v1::ReadArtifactResponse* frame);
  void EndPush(const absl::Status& status);          // the first counts
  void EndUnlessPushed(const absl::Status& status);  // the agent left before it began
  bool HasReader() const;

 private:
  mutable absl::Mutex mu_;
  Wake reader_ ABSL_GUARDED_BY(mu_);
  Wake pusher_ ABSL_GUARDED_BY(mu_);
  bool pushed_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<fpo::v1::ReadArtifactResponse> frame_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
};

// The transfers that users wait for, by their random ids. Thread-safe.
class ArtifactRelay {
 public:
  // Shared by a user's stream and an agent's; the last one frees it.
  using Transfer = std::shared_ptr<ArtifactTransfer>;

  // ResourceExhausted when too many are open.
  absl::StatusOr<std::pair<std::string, Transfer>> Begin();
  Transfer Find(const std::string& id) const;  // null: no user waits for it
  // Who was asked to push; ends the transfer if it has left since Begin.
  void SetHolder(const std::string& id, const std::string& worker);
  void HolderLeft(const std::string& worker);  // ends what it has not begun to push
  void Forget(const std::string& id);

 private:
  mutable absl::Mutex mu_;
  struct Entry {
    Transfer transfer;
    std::string holder;
    int64_t begun = 0;  // departures_ of that moment
  };
  std::map<std::string, Entry> transfers_ ABSL_GUARDED_BY(mu_);
  int64_t departures_ ABSL_GUARDED_BY(mu_) = 0;                         // of workers
  std::map<std::string, int64_t> last_departure_ ABSL_GUARDED_BY(mu_);  // while there are transfers
};

}  // namespace fpo::coordinator
