#include "coordinator/core/workers/artifact_place.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/error_info.h"
#include "common/train_protocol.h"
#include "coordinator/core/jobs/checkpoint_registry.h"

namespace fpo::coordinator {
namespace {

absl::StatusOr<std::string> OutputOf(const Job& job) {
  if (!job.demand.output.empty()) return job.demand.output;
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat("job ", job.job_id, " has no output folder")),
      {.reason = ErrorReason::kNoResult,
       .hint = "its records: fpoctl cache ls",
       .ids = {job.job_id}});
}

absl::Status NoResult(const Job& job) {
  const std::string hint =
      job.checkpoints.empty()
          ? absl::StrCat("fpoctl ", IsTerminal(job.state) ? "logs " : "wait ", job.job_id)
          : absl::StrCat("its newest checkpoint: fpoctl download ", job.job_id, " --latest");
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat("job ", job.job_id, " is ", Name(job.state),
                                                 "; only a job that SUCCEEDED has a result")),
      {.reason = ErrorReason::kNoResult, .hint = hint, .ids = {job.job_id}});
}

}  // namespace

std::vector<std::string> ConnectedHolders(const Job& job, const WorkerRegistry& workers) {
  std::vector<std::string> connected;
  if (job.attempts.empty()) return connected;
  std::vector<Member> members = job.attempts.back().members;
  std::stable_sort(members.begin(), members.end(),
                   [](const Member& a, const Member& b) { return a.first_rank < b.first_rank; });
  for (const Member& member : members) {
    const std::optional<WorkerView> view = workers.View(member.worker, absl::InfinitePast());
    if (view && view->connected) connected.push_back(member.worker);
  }
  return connected;
}

absl::Status NoHolder(const Job& job, absl::string_view what) {
  const std::string workers =
      job.attempts.empty()
          ? ""
          : absl::StrJoin(job.attempts.back().members, ", ",
                          [](auto* out, const Member& m) { out->append(m.worker); });
  return WithErrorInfo(
      absl::FailedPreconditionError(
          absl::StrCat(what, " of job ", job.job_id, " are on ", workers, ", not connected now")),
      {.reason = ErrorReason::kNoHolder, .hint = "fpoctl workers list", .ids = {job.job_id}});
}

absl::StatusOr<ArtifactPlace> PlaceOf(const Job& job, int64_t step, const WorkerRegistry& workers) {
  ArtifactPlace place;
  if (step > 0) {
    const auto found = std::find_if(job.checkpoints.begin(), job.checkpoints.end(),
                                    [step](const Checkpoint& c) { return c.step == step; });
    if (found == job.checkpoints.end()) return NoSuchCheckpoint(job, step);
    place.folder = found->folder;
    place.checkpoint = true;
  } else {
    if (job.state != JobState::kSucceeded) return NoResult(job);
    const absl::StatusOr<std::string> output = OutputOf(job);
    if (!output.ok()) return output.status();
    place.folder = *output;
  }
  const std::vector<std::string> holders = ConnectedHolders(job, workers);
  if (holders.empty()) return NoHolder(job, step > 0 ? "the checkpoints" : "the files");
  place.worker = holders.front();
  return place;
}

ServeArtifactCommand OrderFor(const Job& job, const ArtifactPlace& place,
                              const ArtifactRequest& request, const std::string& transfer_id) {
  ServeArtifactCommand order;
  order.transfer_id = transfer_id;
  order.folder = place.folder;
  order.checkpoint = place.checkpoint;
  order.file = request.file;
  order.offset = request.offset;
  order.exported = request.exported;
  order.kind = job.kind;
  order.owner = job.owner;
  const auto manifest = job.result_texts.find(kModelManifestText);
  if (manifest != job.result_texts.end()) order.model_manifest = manifest->second;
  return order;
}

}  // namespace fpo::coordinator
