#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"

namespace fpo::worker {

// When a worker that has nothing to do may leave its host to others. All times come from one
// steady clock. Not thread-safe.
class IdleExit {
 public:
  // `after`: so long without work; zero: never.
  IdleExit(absl::Duration after, absl::Time now) : after_(after), contact_(now) {}

  // A session with the coordinator began or ended.
  void OnContact(absl::Time now);
  // With a session: whether to ask the coordinator now. It is asked again while it does not answer.
  bool IsDue(bool has_work, absl::Time now);
  // Without one: whether there was neither work nor a coordinator for so long.
  bool IsForgotten(bool has_work, absl::Time now);
  std::string why() const;  // "idle for 10m"

 private:
  bool IsIdle(bool has_work, absl::Time now);

  const absl::Duration after_;
  absl::Time contact_;
  std::optional<absl::Time> idle_since_;
  std::optional<absl::Time> asked_;
};

}  // namespace fpo::worker
