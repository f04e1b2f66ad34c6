// fpoctl features: which features of the SAEs training moved, for one job or several side by side.
#include <stdlib.h>

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/error_info.h"
#include "common/features/feature_page.h"
#include "common/features/feature_report.h"
#include "common/files/durable_file.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/commands/commands.h"
#include "ctl/jobs/artifact_fetch.h"
#include "ctl/jobs/namesakes.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"
#include "ctl/show/feature_table.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

constexpr char kPage[] = "docs/features.md";

// A folder for what is fetched, removed with the object.
class FetchFolder {
 public:
  FetchFolder() : path_((std::filesystem::temp_directory_path() / "fpoctl-XXXXXX").string()) {
    made_ = mkdtemp(path_.data()) != nullptr;
  }
  ~FetchFolder() {
    std::error_code ignored;
    if (made_) std::filesystem::remove_all(path_, ignored);
  }
  FetchFolder(const FetchFolder&) = delete;
  FetchFolder& operator=(const FetchFolder&) = delete;

  absl::StatusOr<OpenFolder> Open() const {
    if (made_) return OpenFolder::Open(path_);
    return absl::UnavailableError(absl::StrCat("no folder can be made as ", path_));
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool made_ = false;
};

absl::Status NoReport(const pb::Job& job) {
  return WithErrorInfo(
      absl::NotFoundError(absl::StrCat(
          "job ", job.job_id(), " has no ", kFeatureReportName,
          ": a run makes it at its end when the job has sae and data.eval and features.top is "
          "above 0; where it failed, the job's log says why. fpo-train features makes it later (",
          kPage, ")")),
      {.reason = ErrorReason::kNoFiles, .hint = absl::StrCat("fpoctl logs ", job.job_id())});
}

absl::StatusOr<FeatureReport> FetchReport(Session& session, CoordinatorClient& coordinator,
                                          const std::string& name) {
  FPO_ASSIGN_OR_RETURN(const pb::GetJobResponse found, coordinator.GetJob(name));
  FPO_ASSIGN_OR_RETURN(const pb::Job job, WithResult(session, coordinator, found.job()));
  const FetchFolder scratch;
  FPO_ASSIGN_OR_RETURN(const OpenFolder folder, scratch.Open());
  ArtifactFetch::Dependencies dependencies;
  dependencies.coordinator = &coordinator;
  dependencies.interrupt = &session.interrupt;
  dependencies.on_bytes = [](int64_t, bool) {};
  ArtifactFetch fetch(dependencies, {job.job_id(), 0, false});
  fetch.Into(&folder);
  FPO_ASSIGN_OR_RETURN(const std::vector<pb::ArtifactFile> files, fetch.List());
  for (const pb::ArtifactFile& file : files) {
    if (file.name() != kFeatureReportName) continue;
    FPO_RETURN_IF_ERROR(fetch.Fetch(file).status());
    FPO_ASSIGN_OR_RETURN(FeatureReport report,
                         ReadFeatureReport(absl::StrCat(scratch.path(), "/", kFeatureReportName)));
    if (report.job.empty()) report.job = job.job_id();
    return report;
  }
  return NoReport(job);
}

// Of jobs, then of files, in the order of the command line, under names that differ.
absl::StatusOr<std::vector<FeatureReport>> Reports(Session& session) {
  const std::vector<std::string> jobs = session.invocation.GetAll("JOB");
  const std::vector<std::string> files = session.invocation.GetAll("file");
  if (jobs.empty() && files.empty()) {
    return UsageError("features: name a job, or a file with --file", "fpoctl features --help");
  }
  std::vector<FeatureReport> reports;
  std::set<std::string> names;
  const auto add = [&](FeatureReport report, const std::string& source) {
    if (!names.insert(report.job).second) absl::StrAppend(&report.job, " (", source, ")");
    names.insert(report.job);
    reports.push_back(std::move(report));
  };
  if (!jobs.empty()) {
    FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
    for (const std::string& name : jobs) {
      FPO_ASSIGN_OR_RETURN(FeatureReport report, FetchReport(session, coordinator, name));
      add(std::move(report), name);
    }
  }
  for (const std::string& file : files) {
    FPO_ASSIGN_OR_RETURN(FeatureReport report, ReadFeatureReport(file));
    add(std::move(report), file);
  }
  return reports;
}

void Note(Session& session, const std::string& sentence) {
  if (session.settings().json) {
    JsonObject object;
    object.Add("warning", sentence);
    session.err << object.Text() << "\n";
  } else if (!session.settings().quiet) {
    session.err << "note: " << OneLine(sentence) << "\n";
  }
}

absl::StatusOr<ExitCode> RunFeatures(Session& session) {
  FPO_ASSIGN_OR_RETURN(const std::vector<FeatureReport> reports, Reports(session));
  const absl::StatusOr<std::vector<size_t>> shared = SharedSaes(reports);
  if (!shared.ok()) {
    return WithErrorInfo(shared.status(),
                         {.reason = ErrorReason::kInvalidRequest,
                          .hint = "compare runs of one SAE: fpo-train features --sae FILE makes a "
                                  "run's report with any"});
  }
  for (const std::string& doubt : ComparisonDoubts(reports)) Note(session, doubt);
  for (const FeatureReport& report : reports) {
    for (const std::string& sentence : report.missing) {
      Note(session, absl::StrCat(report.job, ": ", sentence));
    }
  }
  const std::string page = session.invocation.Get("html");
  if (!page.empty()) FPO_RETURN_IF_ERROR(WriteFileAtomically(page, FeaturePage(reports)));
  if (session.settings().json) {
    for (const FeatureReport& report : reports) session.out << FeatureReportJson(report);
  } else if (!page.empty()) {
    session.out << (session.settings().quiet ? "" : "wrote ") << page << "\n";
  } else {
    FeatureTableOptions options;
    options.rows = static_cast<size_t>(session.invocation.GetCount("top", 10));
    options.spans = static_cast<size_t>(session.invocation.GetCount("spans", 1));
    session.out << RenderFeatures(reports, *shared, options, session.style());
  }
  return ExitCode::kOk;
}

}  // namespace

CommandSpec FeaturesCommand() {
  CommandSpec c{"features", "look", "which SAE features training moved, and where they fire"};
  c.details =
      "The features whose mean code moved most on chosen and on rejected held-out responses, "
      "before (the reference) and after, with the texts where they fire strongest, labels where "
      "the job had them, and how well the SAE still fits. Several jobs stand side by side when "
      "they have an SAE in common.";
  ArgumentSpec jobs = JobsArgument();
  jobs.required = false;
  c.arguments = {jobs};
  c.options = {
      {"file", "", ValueKind::kFile, "FILE", "a features.json of this machine; may be repeated",
       true},
      {"html", "", ValueKind::kFile, "FILE",
       "write one page to sort, filter and search, instead of the tables"},
      Within({"top", "", ValueKind::kCount, "N", "features of each side (default: 10)"}, 1),
      Within({"spans", "", ValueKind::kCount, "N", "texts of each (default: 1)"}, 0, 100)};
  c.examples = {{"fpoctl features tiny-fpo", "what a run moved"},
                {"fpoctl features tiny-dpo tiny-fpo --html features.html",
                 "two runs side by side, as a page"},
                {"fpoctl features --file runs/mine/features.json", "a run without the service"}};
  c.json = {"{version, job, method, policy, reference, pairs, missing, seconds, saes}"};
  c.run = RunFeatures;
  return c;
}

}  // namespace fpo::ctl
