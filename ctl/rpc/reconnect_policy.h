#pragma once

#include <optional>

#include "absl/time/time.h"

namespace fpo::ctl {

struct ReconnectOptions {
  absl::Duration first_wait = absl::Milliseconds(500);
  absl::Duration wait_max = absl::Seconds(5);
  absl::Duration give_up_after = absl::Seconds(60);  // without an answer
};

// When to retry a lost connection. One that never answered is not retried: the address is wrong or
// nothing runs there, and the user wants to know. Not thread-safe.
class ReconnectPolicy {
 public:
  explicit ReconnectPolicy(ReconnectOptions options) : options_(options) {}

  void Answered();
  // After a loss: how long to wait before the next try, or nullopt when it is time to give up.
  std::optional<absl::Duration> NextWait(absl::Time now);
  absl::Duration give_up_after() const { return options_.give_up_after; }

 private:
  const ReconnectOptions options_;
  std::optional<absl::Time> lost_;  // since when; nullopt while connected
  bool answered_ = false;
  absl::Duration wait_;
};

}  // namespace fpo::ctl
