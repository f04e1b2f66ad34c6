#include "ctl/jobs/compared_runs.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/error_info.h"
#include "common/files/durable_file.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/jobs/artifact_fetch.h"
#include "ctl/show/text_layout.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

constexpr int64_t kPairsBytesMax = int64_t{1} << 26;

absl::StatusOr<RunCurves> FetchCurves(CoordinatorClient& coordinator, const std::string& job_id) {
  pb::MetricsRequest request;
  request.set_job_id(job_id);
  FPO_ASSIGN_OR_RETURN(const pb::MetricsResponse answer, coordinator.Metrics(request));
  RunCurves curves;
  for (const pb::MetricSeries& series : answer.series()) {
    CurvePoints& points = curves.series[series.name()];
    for (int i = 0; i < std::min(series.steps_size(), series.values_size()); ++i) {
      if (!std::isfinite(series.values(i))) continue;
      points.emplace_back(static_cast<double>(series.steps(i)), series.values(i));
    }
    std::stable_sort(points.begin(), points.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  return curves;
}

// The step of evaluations/step-N.jsonl; 0 for another file.
int64_t EvaluationStep(absl::string_view name) {
  int64_t step = 0;
  const bool is_one = absl::ConsumePrefix(&name, "evaluations/step-") &&
                      absl::ConsumeSuffix(&name, ".jsonl") && absl::SimpleAtoi(name, &step);
  return is_one ? step : 0;
}

absl::StatusOr<std::string> FetchText(CoordinatorClient& coordinator, const std::string& job_id,
                                      const std::string& file) {
  pb::ReadArtifactRequest request;
  request.set_job_id(job_id);
  request.set_file(file);
  std::string text, theirs;
  FPO_RETURN_IF_ERROR(
      coordinator.ReadArtifact(request, [&](const pb::ReadArtifactResponse& answer) {
        text += answer.data();
        if (!answer.sha256().empty()) theirs = absl::BytesToHexString(answer.sha256());
        return static_cast<int64_t>(text.size()) <= kPairsBytesMax
                   ? absl::OkStatus()
                   : absl::ResourceExhaustedError(
                         absl::StrCat(file, " has more than ", kPairsBytesMax, " bytes"));
      }));
  Sha256 digest;
  digest.Update(text);
  if (theirs == ToHex(digest.Finish())) return text;
  return absl::DataLossError(absl::StrCat("what came of ", file, " is not what was sent"));
}

// Of a job's result, where `fpoctl download` finds it.
absl::StatusOr<std::string> FetchNewestPairs(Session& session, CoordinatorClient& coordinator,
                                             const std::string& job_id) {
  ArtifactFetch::Dependencies dependencies;
  dependencies.coordinator = &coordinator;
  dependencies.interrupt = &session.interrupt;
  ArtifactFetch fetch(dependencies, {job_id, 0, false});
  FPO_ASSIGN_OR_RETURN(const std::vector<pb::ArtifactFile> files, fetch.List());
  std::string newest;
  for (const pb::ArtifactFile& file : files) {
    if (EvaluationStep(file.name()) > EvaluationStep(newest)) newest = file.name();
  }
  if (newest.empty()) return std::string();
  return FetchText(coordinator, job_id, newest);
}

absl::StatusOr<ComparedRun> FetchRun(Session& session, CoordinatorClient& coordinator,
                                     const pb::Job& job) {
  ComparedRun run;
  run.job = job;
  FPO_ASSIGN_OR_RETURN(run.curves, FetchCurves(coordinator, job.job_id()));
  const bool has_result =
      job.kind() == pb::JOB_KIND_TRAIN && job.state() == pb::JOB_STATE_SUCCEEDED;
  if (!has_result) return run;
  auto pairs = FetchNewestPairs(session, coordinator, job.job_id());
  if (session.interrupt.raised()) return InterruptedError();
  if (pairs.ok()) {
    run.pairs_jsonl = *std::move(pairs);
  } else {
    run.pairs_are_missing = std::string(pairs.status().message());
    session.err << "the held-out pairs of " << job.job_id()
                << " are not on the page: " << OneLine(run.pairs_are_missing) << "\n";
  }
  return run;
}

}  // namespace

absl::Status WriteComparisonPage(Session& session, CoordinatorClient& coordinator,
                                 const std::vector<pb::Job>& jobs, const std::string& path) {
  if (jobs.size() > kPageJobsMax) {
    return UsageError(absl::StrCat("compare: ", jobs.size(), " jobs are too many for one page; ",
                                   kPageJobsMax, " are allowed"),
                      "fpoctl compare --help");
  }
  std::vector<ComparedRun> runs;
  for (const pb::Job& job : jobs) {
    FPO_ASSIGN_OR_RETURN(ComparedRun run, FetchRun(session, coordinator, job));
    runs.push_back(std::move(run));
  }
  FPO_RETURN_IF_ERROR(WriteFileAtomically(path, RenderComparisonPage(runs)));
  const bool is_for_people = !session.settings().quiet && !session.settings().json;
  if (is_for_people) session.err << "wrote " << path << "\n";
  return absl::OkStatus();
}

}  // namespace fpo::ctl
