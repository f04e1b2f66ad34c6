#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/values/worker_hello.h"
#include "common/values/worker_state.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/moment.h"
#include "coordinator/core/scheduling/slot_offer.h"
#include "coordinator/core/workers/worker_link.h"
#include "coordinator/core/workers/worker_mode.h"

namespace fpo::coordinator {

// InvalidArgument (BAD_HELLO) for what no agent of ours sends: an invalid name, no instance, or
// more of something than the tables should hold.
absl::Status CheckHello(const WorkerHello& hello);

// One row of the list of workers.
struct WorkerView {
  WorkerHello hello;  // of its newest session
  bool connected = false;
  int32_t slots_used = 0;
  absl::Time last_heartbeat;     // wall clock
  absl::Duration heartbeat_age;  // steady clock
  std::vector<std::string> jobs;
  WorkerMode mode;

  WorkerState state() const;
};

// The holder of a worker's name, for another agent that requests it.
struct NameHolder {
  WorkerHello hello;
  bool connected = false;
  absl::Time last_heartbeat;  // steady clock
  // steady clock: when another agent first requested it and was told to wait
  std::optional<absl::Time> asked;
};

// NotFound (WORKER_NOT_FOUND).
absl::Status NoSuchWorker(const std::string& worker_id);

// The known workers, the link to each, and which attempt holds how many of its slots. A slot stays
// held until its processes are known to be gone. Not thread-safe.
class WorkerRegistry {
 public:
  // Takes over from an older session of the same worker, which is closed (WORKER_REPLACED);
  // MayTakeName decides whether this agent may. Holds that the agent does not report are kept only
  // for the same instance.
  void Connect(const WorkerHello& hello, std::shared_ptr<WorkerLink> link, const Moment& now);
  // The holder of this name; nullopt when there is none, or it is this very process.
  std::optional<NameHolder> HolderFor(const WorkerHello& newcomer) const;
  // Notes that the newcomer was told to wait.
  void NoteAsked(const WorkerHello& newcomer, absl::Time steady);
  // Ends only the session of `link`; false when a newer one has replaced it.
  bool Disconnect(const std::string& worker_id, const WorkerLink* link, absl::Time steady);
  // False when `link` is not the worker's session.
  bool Heartbeat(const std::string& worker_id, const WorkerLink* link, const Moment& now);
  bool IsSession(const std::string& worker_id, const WorkerLink* link) const;

  // False when it is not connected.
  bool Send(const std::string& worker_id, const WorkerCommand& command);
  void CloseSession(const std::string& worker_id, const absl::Status& why, absl::Time steady);
  void CloseAll(const absl::Status& why);

  void Hold(const std::string& worker_id, const AttemptRef& ref, int32_t slots);
  void Release(const std::string& worker_id, const AttemptRef& ref);
  // Frees the hold of an attempt that was told to stop even if its agent never confirms.
  void ReleaseBy(const std::string& worker_id, const AttemptRef& ref, absl::Time steady);
  // No offers until then, or until a new agent takes its place: it returns its work and ends.
  void Avoid(const std::string& worker_id, absl::Time until_steady);
  void ReleaseOverdue(absl::Time steady);  // holds, and workers no longer to be avoided

  // Also for workers that have not connected yet.
  void SetMode(const std::string& worker_id, const WorkerMode& mode);
  WorkerMode ModeOf(const std::string& worker_id) const;
  // The same as a function.
  auto modes() const {
    return [this](const std::string& worker_id) { return ModeOf(worker_id); };
  }
  void ReopenIfAutomatic(const std::string& worker_id);

  // Workers lost for `grace` are marked as gone.
  std::vector<SlotOffer> Offers(absl::Time steady, absl::Duration grace) const;
  std::vector<WorkerView> List(absl::Time steady) const;
  std::optional<WorkerHello> Find(const std::string& worker_id) const;
  std::optional<WorkerView> View(const std::string& worker_id, absl::Time steady) const;
  // Removes workers that have been lost for this long.
  void ForgetLost(absl::Time steady, absl::Duration after);
  // A worker that is lost for good. NotFound; FailedPrecondition while it is connected
  // (WORKER_CONNECTED) or its lease has not run out (WORKER_LEASED).
  absl::StatusOr<WorkerView> Forgettable(const std::string& worker_id, absl::Duration lease,
                                         absl::Time steady) const;
  void Forget(const std::string& worker_id);  // with its mode
  // Of one that ends by itself; its mode stays. False when it holds slots, or `link` is not its
  // session.
  bool Leave(const std::string& worker_id, const WorkerLink* link);

 private:
  struct Slots {
    int32_t count = 0;
    absl::Time release_by = absl::InfiniteFuture();
  };
  struct Entry {
    WorkerHello hello;
    // Shared with the stream, which may end while a command is being queued. Empty: lost.
    std::shared_ptr<WorkerLink> link;
    Moment last_heartbeat;
    std::map<AttemptRef, Slots> holds;
    std::optional<absl::Time> avoided_until;
    absl::Time lost_since = absl::InfinitePast();  // steady clock; while it has no link
    std::string asking = {};                       // instance of an agent that requests the name
    absl::Time asked;
  };

  static int32_t Used(const Entry& entry);
  static void MarkLost(Entry* entry, absl::Time steady);
  WorkerView ViewOf(const std::string& worker_id, const Entry& entry, absl::Time steady) const;

  std::map<std::string, Entry> workers_;
  std::map<std::string, WorkerMode> modes_;  // open ones are absent
};

}  // namespace fpo::coordinator
