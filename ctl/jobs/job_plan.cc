#include "ctl/jobs/job_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "common/job/job_file.h"
#include "common/plan/plan_text.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "ctl/jobs/trainer_call.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

// Of the host, or of the smallest device; 0: not reported.
int64_t RoomOf(const pb::Worker& worker, bool on_device) {
  if (!on_device) return worker.memory_bytes();
  int64_t least = 0;
  for (const pb::Device& device : worker.devices()) {
    least = least == 0 ? device.memory_bytes() : std::min(least, device.memory_bytes());
  }
  return least;
}

std::string Names(const std::vector<WorkerFit>& fits, WorkerFit::Kind kind) {
  std::vector<std::string> names;
  for (const WorkerFit& fit : fits) {
    if (fit.kind != kind) continue;
    names.push_back(fit.room_bytes > 0
                        ? absl::StrCat(fit.worker, " (", PlanBytes(fit.room_bytes), ")")
                        : fit.worker);
  }
  return absl::StrJoin(names, ", ");
}

}  // namespace

absl::StatusOr<RunPlan> PlanOfJob(Session& session, const LoadedJob& job,
                                  const std::string& otherwise) {
  const std::string& trainer = session.environment.trainer;
  if (trainer.empty()) return absl::UnavailableError("there is no fpo-train beside fpoctl");
  if (!job.missing.empty()) {
    return absl::UnavailableError(absl::StrCat(job.missing.front().key, " and what else the job ",
                                               "reads must be on this machine"));
  }
  if (session.environment.err_is_terminal && !session.settings().quiet) {
    session.err << "planning: prepares the data, then measures for some ten seconds" << otherwise
                << std::endl;
  }
  FPO_ASSIGN_OR_RETURN(const std::string result,
                       CallTrainer(trainer, {"plan", "--job", "-", "--json"},
                                   WriteJobJson(job.config), absl::Minutes(30)));
  absl::StatusOr<RunPlan> plan = ParseRunPlan(result);
  if (plan.ok()) return plan;
  return absl::UnavailableError(
      absl::StrCat(trainer, " gave none; to see why: ", trainer, " plan --job FILE"));
}

std::vector<WorkerFit> FitsOf(const RunPlan& plan, const std::vector<pb::Worker>& workers) {
  const bool on_device = plan.device == "cuda";
  const int64_t needed = on_device ? DeviceBytes(plan.memory) : HostBytes(plan.memory);
  std::vector<WorkerFit> fits;
  for (const pb::Worker& worker : workers) {
    if (worker.state() == pb::WORKER_STATE_LOST) continue;
    if ((worker.device() == pb::DEVICE_KIND_CUDA) != on_device) continue;
    WorkerFit fit{worker.worker_id(), WorkerFit::Kind::kUnknown, RoomOf(worker, on_device)};
    if (fit.room_bytes > 0) {
      fit.kind = needed <= fit.room_bytes ? WorkerFit::Kind::kFits : WorkerFit::Kind::kTooSmall;
    }
    fits.push_back(std::move(fit));
  }
  return fits;
}

std::string FitsText(const RunPlan& plan, const std::vector<WorkerFit>& fits) {
  std::vector<std::string> parts;
  const std::pair<WorkerFit::Kind, const char*> kinds[] = {
      {WorkerFit::Kind::kFits, "fits on "},
      {WorkerFit::Kind::kTooSmall, "not on "},
      {WorkerFit::Kind::kUnknown, "not known of "}};
  for (const auto& [kind, words] : kinds) {
    const std::string names = Names(fits, kind);
    if (!names.empty()) parts.push_back(absl::StrCat(words, names));
  }
  return parts.empty() ? absl::StrCat("no connected worker computes on ", plan.device)
                       : absl::StrJoin(parts, "; ");
}

std::string FitsJson(const std::vector<WorkerFit>& fits) {
  std::vector<std::string> items;
  for (const WorkerFit& fit : fits) {
    JsonObject object;
    object.Add("worker", fit.worker);
    fit.kind == WorkerFit::Kind::kUnknown ? object.AddRaw("fits", "null")
                                          : object.Add("fits", fit.kind == WorkerFit::Kind::kFits);
    object.Add("bytes", fit.room_bytes);
    items.push_back(object.Text());
  }
  return JsonArray(items);
}

}  // namespace fpo::ctl
