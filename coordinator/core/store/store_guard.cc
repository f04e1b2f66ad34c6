#include "coordinator/core/store/store_guard.h"

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/observe/log.h"

namespace fpo::coordinator {
namespace {

constexpr char kHint[] =
    "start the coordinator with the --data that it had. A copy of an older state is taken into use "
    "with fpo-coordinator --restore; to give the worker to another store on purpose: "
    "fpo-worker --forget-store";

}  // namespace

absl::Status StoreGuard::Refuse(const WorkerHello& hello, const std::string& why) {
  ++counts_->fencing_rejections["store"];
  absl::Status refusal = WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat("worker ", hello.worker_id, " ", why)),
      {.reason = ErrorReason::kWrongStore,
       .hint = kHint,
       .ids = {jobs_->identity().id, hello.store.id}});
  if (!jobs_->identity().confirmed) jobs_->RefuseNew(refusal);
  return refusal;
}

absl::Status StoreGuard::Check(const WorkerHello& hello) {
  const StoreIdentity& mine = jobs_->identity();
  if (!hello.store.id.empty() && hello.store.id != mine.id) {
    return Refuse(hello, absl::StrCat("knows the jobs' store ", hello.store.id,
                                      ", and this coordinator has store ", mine.id));
  }
  if (hello.store.id.empty() && !hello.running.empty() && !mine.confirmed) {
    return Refuse(hello, absl::StrCat("runs job ", hello.running.front().job_id,
                                      ", and this coordinator's store ", mine.id, " is new"));
  }
  if (hello.store.revision > mine.revision) {
    return Refuse(hello, absl::StrCat("has seen revision ", hello.store.revision,
                                      " of the jobs' store, and this coordinator's ends at ",
                                      mine.revision, ": it is an older copy"));
  }
  if (mine.confirmed) return absl::OkStatus();
  const absl::Status confirmed = jobs_->ConfirmStore();
  if (confirmed.ok()) jobs_->RefuseNew(absl::OkStatus());
  return confirmed;
}

bool StoreGuard::AwaitsAgents(bool reattached) {
  if (!jobs_->identity().restored) return false;
  if (!reattached) return true;
  const absl::Status ended = jobs_->EndRestore();
  if (!ended.ok()) Log(LogLevel::kError, absl::StrCat("no job starts yet: ", ended.message()));
  return !ended.ok();
}

}  // namespace fpo::coordinator
