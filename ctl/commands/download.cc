// fpoctl download, fpoctl export: a job's result, one of its checkpoints, or the model folder of
// either, from the host that holds it.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/error_info.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/commands/commands.h"
#include "ctl/jobs/artifact_fetch.h"
#include "ctl/jobs/namesakes.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"
#include "ctl/show/human.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

// One line on a terminal, redrawn in place.
class DownloadLine {
 public:
  explicit DownloadLine(Session& session)
      : session_(session),
        shown_(session.environment.err_is_terminal && !session.settings().quiet),
        begun_(absl::Now()) {}
  ~DownloadLine() { Clear(); }
  void SetTotal(int64_t total) { total_ = total; }
  void Clear() {
    if (std::exchange(drawn_, false)) session_.err << "\r\x1b[K" << std::flush;
  }
  void Begin(const std::string& name) {
    name_ = name;
    Draw();
  }
  void Add(int64_t bytes, bool came) {
    done_ += bytes;
    if (came) came_ += bytes;
    if (absl::Now() - last_ >= session_.times.redraw_min) Draw();
  }

 private:
  void Draw() {
    if (!shown_) return;
    last_ = absl::Now();
    drawn_ = true;
    const double seconds = std::max(absl::ToDoubleSeconds(last_ - begun_), 1e-3);
    const std::string text = absl::StrCat(
        "  ", HumanPercent(done_, total_), "  ", HumanBytes(static_cast<double>(done_)), " of ",
        HumanBytes(static_cast<double>(total_)), "  ",
        HumanBytes(static_cast<double>(came_) / seconds), "/s  ", OneLine(name_));
    constexpr int kColumns = 79;  // the width of standard error is not queried
    session_.err << "\r" << FitWidth(text, kColumns, session_.style().unicode) << "\x1b[K"
                 << std::flush;
  }

  Session& session_;
  const bool shown_;
  int64_t total_ = 0;
  const absl::Time begun_;
  std::string name_;
  int64_t done_ = 0;
  int64_t came_ = 0;  // received through the network
  absl::Time last_ = absl::InfinitePast();
  bool drawn_ = false;
};

absl::Status CheckOptions(const Invocation& invocation) {
  if (invocation.Has("best") + invocation.Has("latest") + invocation.Has("step") > 1) {
    const std::string& verb = invocation.command->name;
    return UsageError(absl::StrCat(verb, ": --best, --latest and --step exclude each other"),
                      absl::StrCat("fpoctl ", verb, " --help"));
  }
  return absl::OkStatus();
}

// The step of the wanted checkpoint; 0 for the result.
absl::StatusOr<int64_t> WantedStep(Session& session, CoordinatorClient& coordinator,
                                   const std::string& job_id) {
  const bool best = session.invocation.Has("best");
  const bool latest = session.invocation.Has("latest");
  if (!best && !latest) return session.invocation.GetCount("step", 0);
  pb::ListCheckpointsRequest request;
  request.set_job_id(job_id);
  FPO_ASSIGN_OR_RETURN(const pb::ListCheckpointsResponse answer,
                       coordinator.ListCheckpoints(request));
  const pb::Checkpoint* wanted = nullptr;  // the list is newest first
  for (const pb::Checkpoint& c : answer.checkpoints()) {
    if (latest && wanted == nullptr) wanted = &c;
    if (best && c.has_score() && (wanted == nullptr || c.score() < wanted->score())) wanted = &c;
  }
  if (wanted != nullptr) return wanted->step();
  return WithErrorInfo(
      absl::NotFoundError(absl::StrCat("job ", job_id, " has no checkpoint",
                                       answer.checkpoints().empty() ? "" : " with a score")),
      {.reason = ErrorReason::kNoCheckpoint, .hint = absl::StrCat("fpoctl ckpt list ", job_id)});
}

// --to, or a folder here named after the job. A name made up by the coordinator must not lead
// elsewhere.
absl::StatusOr<std::string> TargetOf(Session& session, const pb::Job& job, int64_t step) {
  if (session.invocation.Has("to")) return session.invocation.Get("to");
  const std::string name = job.name().empty() ? job.job_id() : job.name();
  if (!CheckRelativeName(name).ok() || absl::StrContains(name, '/')) {
    return UsageError(absl::StrCat("the job's name \"", OneLine(name), "\" cannot name a folder"),
                      "name one with --to");
  }
  const bool exported = session.invocation.command->name == "export";
  return absl::StrCat(name, step > 0 ? absl::StrCat("-step-", step) : "", exported ? "-model" : "");
}

// Waits for a worker that exports a checkpoint, which takes as long as reading and writing a model.
absl::StatusOr<std::vector<pb::ArtifactFile>> ListFiles(Session& session, ArtifactFetch& fetch,
                                                        int64_t step) {
  bool said = false;
  for (;;) {
    auto files = fetch.List();
    if (ReasonOf(files.status()) != ErrorReason::kExporting) return files;
    if (!std::exchange(said, true) && !session.settings().quiet) {
      session.err << "its worker is exporting the checkpoint of step " << step << std::endl;
    }
    if (session.interrupt.WaitFor(session.times.export_look)) return InterruptedError();
  }
}

struct Downloaded {
  std::vector<FetchedFile> files;
  int64_t bytes = 0;
};

absl::StatusOr<Downloaded> FetchAll(Session& session, ArtifactFetch& fetch,
                                    const std::vector<pb::ArtifactFile>& files,
                                    DownloadLine* line) {
  Downloaded downloaded;
  for (const pb::ArtifactFile& file : files) {
    line->Begin(file.name());
    FPO_ASSIGN_OR_RETURN(FetchedFile fetched, fetch.Fetch(file));
    downloaded.bytes += fetched.bytes;
    downloaded.files.push_back(std::move(fetched));
    if (session.interrupt.raised()) return InterruptedError();
  }
  line->Clear();
  return downloaded;
}

void Print(Session& session, const std::string& folder, const Downloaded& downloaded) {
  if (session.settings().json) {
    std::vector<std::string> files;
    for (const FetchedFile& file : downloaded.files) {
      JsonObject one;
      one.Add("name", file.name);
      one.Add("bytes", file.bytes);
      one.Add("sha256", file.sha256);
      one.Add("was_there", file.was_there);
      files.push_back(one.Text());
    }
    JsonObject all;
    all.Add("folder", folder);
    all.AddRaw("files", absl::StrCat("[", absl::StrJoin(files, ","), "]"));
    session.out << all.Text() << "\n";
  } else if (session.settings().quiet) {
    session.out << folder << "\n";
  } else {
    const auto there = std::count_if(downloaded.files.begin(), downloaded.files.end(),
                                     [](const FetchedFile& file) { return file.was_there; });
    session.out << "downloaded " << HumanCount(static_cast<int64_t>(downloaded.files.size()))
                << (downloaded.files.size() == 1 ? " file, " : " files, ")
                << HumanBytes(static_cast<double>(downloaded.bytes)) << ", to " << folder;
    if (there > 0) session.out << "; " << HumanCount(there) << " were there already";
    session.out << "\n";
  }
}

absl::StatusOr<ExitCode> Fetch(Session& session, bool exported) {
  FPO_RETURN_IF_ERROR(CheckOptions(session.invocation));
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const pb::GetJobResponse found,
                       coordinator.GetJob(session.invocation.Get("JOB")));
  pb::Job job = found.job();
  const bool result = !session.invocation.Has("best") && !session.invocation.Has("latest") &&
                      !session.invocation.Has("step");
  if (result) {
    FPO_ASSIGN_OR_RETURN(job, WithResult(session, coordinator, job));
  }
  ArtifactSource source{job.job_id(), 0, exported};
  FPO_ASSIGN_OR_RETURN(source.step, WantedStep(session, coordinator, source.job_id));
  FPO_ASSIGN_OR_RETURN(const std::string path, TargetOf(session, job, source.step));
  DownloadLine line(session);
  ArtifactFetch::Dependencies dependencies;
  dependencies.coordinator = &coordinator;
  dependencies.interrupt = &session.interrupt;
  dependencies.on_bytes = [&line](int64_t bytes, bool came) { line.Add(bytes, came); };
  ArtifactFetch fetch(dependencies, source);
  FPO_ASSIGN_OR_RETURN(const std::vector<pb::ArtifactFile> files,
                       ListFiles(session, fetch, source.step));
  FPO_ASSIGN_OR_RETURN(const OpenFolder folder, OpenFolder::Make(path));
  int64_t total = 0;
  for (const pb::ArtifactFile& file : files) total += file.bytes();
  line.SetTotal(total);
  fetch.Into(&folder);
  FPO_ASSIGN_OR_RETURN(const Downloaded downloaded, FetchAll(session, fetch, files, &line));
  Print(session, path, downloaded);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunDownload(Session& session) { return Fetch(session, false); }
absl::StatusOr<ExitCode> RunExport(Session& session) { return Fetch(session, true); }

std::vector<OptionSpec> CheckpointOptions(const std::string& target) {
  return {{"best", "", ValueKind::kFlag, "", "the checkpoint with the lowest held-out loss"},
          {"latest", "", ValueKind::kFlag, "", "the newest checkpoint"},
          Within({"step", "", ValueKind::kCount, "N", "the checkpoint of this step"}, 1),
          {"to", "", ValueKind::kFile, "FOLDER",
           absl::StrCat("where to put it (default: a folder here named ", target, ")")}};
}

}  // namespace

CommandSpec DownloadCommand() {
  CommandSpec c =
      JobCommand("download", "results", "fetch a job's result or a checkpoint", RunDownload);
  c.details =
      "From the worker that holds it, through the coordinator: the exported model/ and the files "
      "of the run, or with one of the options a checkpoint. Each file is checked by its SHA-256. "
      "Repeating the command continues a broken or interrupted download. -q prints "
      "the folder.";
  c.options = CheckpointOptions("after the job");
  c.json = {"{folder, files}"};
  c.examples = {{"fpoctl download tiny-fpo", "the result, into ./tiny-fpo"},
                {"fpoctl download j-4f2a --best --to best", "the best checkpoint"}};
  return c;
}

CommandSpec ExportCommand() {
  CommandSpec c =
      JobCommand("export", "results", "fetch a job's model, or a checkpoint as a model", RunExport);
  c.details =
      "A Hugging Face folder, with chat template, stop ids and model card: the model/ of a job "
      "that SUCCEEDED, or with one of the options a checkpoint, which the worker that holds it "
      "exports "
      "first. Repeating the command continues a broken or interrupted download.";
  c.options = CheckpointOptions("JOB-model");
  c.json = {"{folder, files}"};
  c.examples = {{"fpoctl export tiny-fpo --to model", "the final model"},
                {"fpoctl export j-4f2a --best --to best", "the best checkpoint as a model"}};
  return c;
}

}  // namespace fpo::ctl
