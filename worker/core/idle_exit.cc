#include "worker/core/idle_exit.h"

#include "absl/strings/str_cat.h"

namespace fpo::worker {
namespace {

// A coordinator that knows the question answers at once, or assigns work instead.
constexpr absl::Duration kAskAgain = absl::Minutes(1);

}  // namespace

void IdleExit::OnContact(absl::Time now) {
  contact_ = now;
  asked_.reset();
}

bool IdleExit::IsIdle(bool has_work, absl::Time now) {
  if (has_work || after_ <= absl::ZeroDuration()) {
    idle_since_.reset();
    asked_.reset();
    return false;
  }
  if (!idle_since_) idle_since_ = now;
  return now - *idle_since_ >= after_;
}

bool IdleExit::IsDue(bool has_work, absl::Time now) {
  if (!IsIdle(has_work, now) || (asked_ && now - *asked_ < kAskAgain)) return false;
  asked_ = now;
  return true;
}

bool IdleExit::IsForgotten(bool has_work, absl::Time now) {
  return IsIdle(has_work, now) && now - contact_ >= after_;
}

std::string IdleExit::why() const {
  return absl::StrCat("idle for ", absl::FormatDuration(after_));
}

}  // namespace fpo::worker
