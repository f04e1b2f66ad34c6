#include "coordinator/core/workers/name_claim.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"

namespace fpo::coordinator {
namespace {

constexpr int kFreshHeartbeats = 3;

std::string PlaceOf(const WorkerHello& hello) {
  return absl::StrCat(
      hello.host, hello.work_dir.empty() ? "" : absl::StrCat(" (work dir ", hello.work_dir, ")"));
}

absl::Status Taken(const WorkerHello& holder, absl::string_view more = "") {
  return WithErrorInfo(
      absl::AlreadyExistsError(absl::StrCat("worker ", holder.worker_id, " is connected from ",
                                            PlaceOf(holder), more, "; use --name")),
      {.reason = ErrorReason::kWorkerNameTaken, .ids = {holder.worker_id}});
}

absl::Status Busy(const WorkerHello& holder, const std::string& why) {
  return WithErrorInfo(absl::UnavailableError(absl::StrCat("the name of worker ", holder.worker_id,
                                                           " is not free yet: ", why)),
                       {.reason = ErrorReason::kWorkerNameBusy, .ids = {holder.worker_id}});
}

std::string Seconds(absl::Duration time) {
  return absl::FormatDuration(absl::Trunc(time, absl::Milliseconds(100)));
}

}  // namespace

bool IsSameHome(const WorkerHello& a, const WorkerHello& b) {
  if (a.home_id.empty() || b.home_id.empty()) return true;
  return a.home_id == b.home_id && a.boot_id == b.boot_id;
}

absl::Status MayTakeName(const WorkerHello& newcomer, const NameDispute& dispute) {
  const NameHolder& holder = dispute.holder;
  const absl::Duration silent = dispute.now - holder.last_heartbeat;
  const bool same_home = IsSameHome(newcomer, holder.hello);
  if (holder.connected && silent <= kFreshHeartbeats * dispute.heartbeat) {
    if (!same_home) return Taken(holder.hello);
    if (holder.asked && holder.last_heartbeat > *holder.asked + dispute.heartbeat) {
      return Taken(holder.hello, ", with a copy of this work dir");
    }
    return Busy(holder.hello, "its former agent still seems to be connected");
  }
  if (same_home || dispute.lease <= absl::ZeroDuration()) return absl::OkStatus();
  const std::string place = PlaceOf(holder.hello);
  return Busy(holder.hello,
              absl::StrCat("the agent that had it", place.empty() ? "" : ", on " + place,
                           ", may still run something for ", Seconds(dispute.lease)));
}

}  // namespace fpo::coordinator
