#include "worker/core/running_attempt.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/job/job_file.h"
#include "common/job/job_urls.h"
#include "common/object_store/object_url.h"
#include "worker/core/host/preflight.h"
#include "worker/core/process/rank_group.h"
#include "worker/core/reference/prepared_data.h"
#include "worker/core/reference/score_process.h"
#include "worker/core/run_checkpoints.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kProgressInterval = absl::Milliseconds(200);
constexpr absl::Duration kPullInterval = absl::Seconds(2);
constexpr absl::Duration kRecordsNoteInterval = absl::Seconds(10);

// Bad input ends the job; anything else may succeed on another host or later.
PhaseEnd EndOf(const std::string& phase, const absl::Status& status) {
  if (status.ok()) return {};
  const std::string message = absl::StrCat(phase, ": ", status.message());
  switch (status.code()) {
    case absl::StatusCode::kCancelled:
      return {EndClass::kAsked, message};
    case absl::StatusCode::kInvalidArgument:
      return {EndClass::kInvalid, message};
    case absl::StatusCode::kInternal:
      return {EndClass::kProgram, message};
    default:
      return {EndClass::kInfrastructure, message};
  }
}

// The numbers of `prepare` are not the job's result.
class PrepareSink final : public RankSink {
 public:
  explicit PrepareSink(RankOutput* output) : output_(output) {}
  void OnLine(int32_t rank, LineStream stream, const std::string& text) override {
    output_->OnLine(rank, stream, text);
  }
  void OnEvent(int32_t rank, const TrainEvent& event, const std::string& json) override {
    if (event.kind != EventKind::kResult) output_->OnEvent(rank, event, json);
  }

 private:
  RankOutput* const output_;
};

}  // namespace

RunningAttempt::RunningAttempt(AttemptOptions options, AttemptServices services,
                               AssignCommand assignment, std::vector<std::string> devices)
    : options_(std::move(options)),
      services_(services),
      assignment_(std::move(assignment)),
      devices_(std::move(devices)),
      folders_(FoldersOf(options_.work_dir, assignment_.attempt)),
      processes_(services.spawner, services.journal, services.metrics),
      // The coordinator takes ranks 0 and -1 as speaking for the whole job.
      output_(assignment_.attempt, assignment_.first_rank == 0 ? -1 : assignment_.first_rank,
              services.outbox, services.metrics),
      files_({.places = options_.places,
              .hub_cache = options_.hub_cache,
              .attempt = assignment_.attempt,
              .leads = assignment_.first_rank == 0,
              .discard_after_step = assignment_.discard_after_step,
              .job_folder = folders_.job},
             services.objects, services.inputs, &output_) {}

RunningAttempt::~RunningAttempt() {
  Stop(absl::ZeroDuration(), "the agent ends");
  if (thread_.joinable()) thread_.join();
}

void RunningAttempt::Start(std::function<void(const AttemptEnd&)> on_end) {
  thread_ = std::thread([this, on_end = std::move(on_end)] {
    AttemptEnd result;
    result.end = RunPhases();
    result.cache = cache_use_;
    result.survived_kill = survived_kill_ || processes_.has_survivors();
    if (!result.end.ok() && stop_.stop_requested()) {
      absl::MutexLock lock(&mutex_);
      result.end = {EndClass::kAsked, stop_reason_};
    }
    if (result.end.host_fault) result.broken_host = WhatIsBroken();
    std::error_code ignored;
    fs::remove_all(folders_.scratch, ignored);
    if (result.end.ok()) fs::remove_all(folders_.job, ignored);
    const std::string how =
        result.end.ok() ? "done" : absl::StrCat("ended (", Name(result.end.end_class), ")");
    output_.Note(
        absl::StrCat("attempt ", how, result.end.message.empty() ? "" : ": ", result.end.message));
    on_end(result);
  });
}

void RunningAttempt::Stop(absl::Duration grace, const std::string& why) {
  {
    absl::MutexLock lock(&mutex_);
    if (stop_reason_.empty()) stop_reason_ = why;
  }
  stop_.request_stop();
  if (grace <= absl::ZeroDuration()) kill_.request_stop();
  processes_.Stop(grace);
}

PhaseEnd RunningAttempt::RunPhases() {
  PhaseEnd end = Preflight();
  if (!end.ok()) return end;
  ReportRunning();
  std::vector<PhaseEnd (RunningAttempt::*)()> phases = {
      &RunningAttempt::Prepare, &RunningAttempt::Reference, &RunningAttempt::Main};
  if (!finished_run_.empty() || !IsPreparedFirst(config_)) phases = {&RunningAttempt::Main};
  for (const auto phase : phases) {
    if (stop_.stop_requested()) return {EndClass::kAsked, "stopped between two phases"};
    end = (this->*phase)();
    if (!end.ok()) return end;
  }
  return end;
}

HostNeeds RunningAttempt::Needs() const {
  return {options_.work_dir, options_.disk_reserve_bytes, options_.trainer.device, options_.slots,
          services_.gate};
}

// Checks again, with processes that no stop of this attempt reaches: what made one attempt fail may
// be gone by now.
std::string RunningAttempt::WhatIsBroken() const {
  ProcessSet questions(services_.spawner, services_.journal, services_.metrics);
  for (int32_t slot = 0; slot < std::max(assignment_.slots, 1); ++slot) {  // each has its GPU
    const absl::Status status =
        CheckHost(Needs(), CommandOf({options_.trainer.path}, slot), &questions).status();
    if (absl::IsFailedPrecondition(status)) return std::string(status.message());
  }
  return "";
}

PhaseEnd RunningAttempt::Preflight() {
  std::error_code ignored;  // CheckHost reports what is wrong
  fs::create_directories(folders_.attempt, ignored);
  const absl::StatusOr<std::string> version =
      CheckHost(Needs(), CommandOf({options_.trainer.path}, 0), &processes_);
  if (!version.ok()) {
    PhaseEnd end = EndOf("preflight", version.status());
    end.host_fault = absl::IsFailedPrecondition(version.status());
    return end;
  }
  output_.Note(absl::StrCat("trainer: ", *version));
  return CheckJob();
}

PhaseEnd RunningAttempt::CheckJob() {
  absl::StatusOr<JobConfig> config = ReadJobJson(assignment_.config_json);
  if (!config.ok())
    return {EndClass::kInvalid, absl::StrCat("the job: ", config.status().message())};
  config_ = *std::move(config);
  std::error_code error;
  fs::create_directories(folders_.scratch, error);
  if (error) return EndOf("preflight", PosixError(error.value(), "mkdir", folders_.scratch));
  std::vector<absl::Status> checks = {CheckPathsAreAbsolute(config_),
                                      CheckPlaces(options_.places, config_)};
  for (const absl::Status& check : checks) {
    if (!check.ok()) return EndOf("preflight", check);
  }
  if (const PhaseEnd fetched = FetchUrls(); !fetched.ok()) return fetched;
  checks = {CheckInputsExist(config_),
            WriteFileAtomically(folders_.job_json, WriteJobJson(config_))};
  if (!config_.output.empty()) {
    checks.push_back(CheckCanWrite(config_.output));
    checks.push_back(CheckFreeBytes(config_.output, options_.disk_reserve_bytes));
  }
  if (assignment_.slots > 1) {
    checks.push_back(CheckSharedMemory(options_.shared_memory, assignment_.slots));
  }
  for (const absl::Status& check : checks) {
    if (!check.ok()) return EndOf("preflight", check);
  }
  if (assignment_.world_size > 1 && assignment_.store_address.empty()) {
    return {EndClass::kInfrastructure, "preflight: several ranks, but no rendezvous address"};
  }
  return CheckOutput();
}

// From here on the job has paths of this host alone.
PhaseEnd RunningAttempt::FetchUrls() {
  if (!ReadsUrls(config_) && !IsUrl(config_.output)) return {};
  ReportRunning();
  EnterPhase(Phase::kPrepare);
  return EndOf("inputs", files_.Fetch(&config_, stop_.get_token()));
}

PhaseEnd RunningAttempt::CheckOutput() {
  const bool leads = assignment_.first_rank == 0;
  const absl::Status owner = CheckOwner(options_.places, config_, assignment_.owner, leads);
  if (!owner.ok()) return EndOf("preflight", owner);
  const absl::StatusOr<OutputUse> use =
      LookAtOutput(config_, assignment_.attempt.job_id, /*may_replace=*/leads);
  if (!use.ok()) return EndOf("preflight", use.status());
  if (leads && !use->replaced.empty()) {
    output_.Note(absl::StrCat("replacing ", use->replaced, " in ", config_.output));
    const absl::Status removed = files_.OnReplaced();
    if (!removed.ok()) return EndOf("preflight", removed);
  }
  // The hosts of a job must go through the same phases, whatever one of them sees first.
  if (assignment_.slots == assignment_.world_size) finished_run_ = use->finished;
  if (!finished_run_.empty()) return {};
  return EndOf("inputs", files_.Begin(config_));
}

RankCommand RunningAttempt::CommandOf(const std::vector<std::string>& argv, int32_t slot) const {
  RankCommand command;
  command.identity = {assignment_.attempt, assignment_.first_rank + slot};
  const std::string device =
      static_cast<size_t>(slot) < devices_.size() ? devices_[static_cast<size_t>(slot)] : "";
  command.cgroups = services_.cgroups;
  command.spawn.argv = argv;
  command.spawn.environment = RankEnvironment(options_.environment, command.identity, device);
  if (!assignment_.traceparent.empty()) {
    command.spawn.environment.push_back("TRACEPARENT=" + assignment_.traceparent);
  }
  command.spawn.folder = folders_.attempt;
  return command;
}

PhaseEnd RunningAttempt::Prepare() {
  EnterPhase(Phase::kPrepare);
  PhaseEnd end;
  if (IsPrepared(folders_.prepared, UsesReferenceCache(config_))) {
    output_.Note("prepare: done by an earlier attempt");
  } else {
    std::error_code ignored;
    fs::remove_all(folders_.prepared, ignored);
    PrepareSink sink(&output_);
    end = RunOne("prepare", PrepareCommand(options_.trainer, folders_), &sink);
  }
  if (!end.ok()) return end;
  // The coordinator compares it with those of the job's other hosts.
  prepared_digest_ = PreparedDigest(folders_.prepared);
  ReportRunning();
  return end;
}

PhaseEnd RunningAttempt::RunOne(const std::string& name, const std::vector<std::string>& argv,
                                RankSink* sink) {
  const GroupEnd group = RunRankGroup({name, sink, &output_, options_.stall_timeout},
                                      {CommandOf(argv, 0)}, &processes_);
  survived_kill_ |= group.survived_kill;
  return group.end;
}

PhaseEnd RunningAttempt::Reference() {
  if (!UsesReferenceCache(config_)) return {};
  EnterPhase(Phase::kReference);
  ScoreProcess scorer(&processes_, &output_,
                      {.command = CommandOf(ScoreCommand(options_.trainer, folders_), 0),
                       .stall_timeout = options_.stall_timeout},
                      stop_.get_token());
  ReferencePhase phase(options_.reference, services_.cache, services_.records, &scorer, this);
  ReferenceRequest request;
  request.prepared = folders_.prepared;
  request.scratch = folders_.scratch;
  request.builder = absl::StrCat(assignment_.attempt.job_id, "@", options_.worker_id);
  request.name = config_.name;
  request.owner = assignment_.owner;
  request.share = config_.reference.share;
  const absl::StatusOr<std::string> file = phase.Run(request, stop_.get_token());
  survived_kill_ |= scorer.survived_kill();
  if (file.ok()) {
    record_file_ = *file;
    const CacheUse& use = phase.use();
    output_.Note(absl::StrFormat(
        "reference: %d of %d records were in the cache, %d computed here, %.1f s", use.records_hit,
        use.records_total, use.records_computed, use.reference_seconds));
    return {};
  }
  if (scorer.failure()) return *scorer.failure();
  return EndOf("reference", file.status());
}

PhaseEnd RunningAttempt::Main() {
  const bool is_run = config_.kind == "train";
  const int32_t ranks = is_run ? std::max(assignment_.slots, 1) : 1;
  std::vector<RankCommand> commands;
  for (int32_t slot = 0; slot < ranks; ++slot) {
    const RankWork work{.record_file = record_file_,
                        .rank = assignment_.first_rank + slot,
                        .world_size = is_run ? assignment_.world_size : 1,
                        .rendezvous = assignment_.store_address};
    const std::vector<std::string> argv = MainCommand(options_.trainer, folders_, config_, work);
    if (!argv.empty()) commands.push_back(CommandOf(argv, slot));
  }
  if (!commands.empty()) {
    EnterPhase(Phase::kTrain);
    if (is_run) {
      if (const PhaseEnd end = TakeUpCheckpoints(); !end.ok()) return end;
    }
    if (const PhaseEnd end = RunMain(commands); !end.ok()) return end;
  } else {
    EnterPhase(Phase::kFinish);
  }
  if (finished_run_.empty()) return {};
  return {EndClass::kDone,
          absl::StrCat("nothing was trained: ", config_.output, " holds ", finished_run_,
                       ", whose result this is; to train again, submit the job with another ",
                       "folder (--set output=...), or remove that")};
}

PhaseEnd RunningAttempt::RunMain(const std::vector<RankCommand>& commands) {
  const std::unique_ptr<OutputPusher> pusher = files_.StartPushing();
  RankSink* const sink = pusher ? static_cast<RankSink*>(pusher.get()) : &output_;
  const GroupEnd group =
      RunRankGroup({config_.kind, sink, &output_, options_.stall_timeout}, commands, &processes_);
  survived_kill_ |= group.survived_kill;
  if (!group.end.ok()) {
    const absl::Status rest =
        pusher ? pusher->Finish(/*finished=*/false, kill_.get_token()) : absl::OkStatus();
    if (!rest.ok()) output_.Note(absl::StrCat("output: ", rest.message()));
    return group.end;
  }
  EnterPhase(Phase::kFinish);
  if (!pusher) return {};
  return EndOf("output", pusher->Finish(/*finished=*/true, stop_.get_token()));
}

// Checkpoints in the output folder count once they are announced under this attempt's epoch: one
// written just before its attempt was fenced is not lost, and no unannounced one is resumed from.
PhaseEnd RunningAttempt::TakeUpCheckpoints() {
  if (assignment_.first_rank != 0) return {};
  if (assignment_.discard_after_step > 0) {
    const absl::Status status =
        DiscardCheckpointsAfter(config_.output, assignment_.discard_after_step);
    if (!status.ok()) return EndOf("checkpoints", status);
  }
  for (TrainEvent& event : ListRunCheckpoints(config_.output)) output_.Emit(std::move(event));
  return {};
}

void RunningAttempt::EnterPhase(Phase phase) { output_.Emit(PhaseEvent(std::string(Name(phase)))); }

void RunningAttempt::ReportRunning() {
  Report report;
  report.attempt = assignment_.attempt;
  report.status = ReportStatus::kRunning;
  report.cache = cache_use_;
  report.prepared = prepared_digest_;
  services_.outbox->AddReport(std::move(report), /*is_final=*/false);
}

void RunningAttempt::OnRecords(int64_t present, int64_t total) {
  const absl::Time now = BootNow();
  if (present < total && now - last_progress_ < kProgressInterval) return;
  last_progress_ = now;
  if (present < total && now - last_records_note_ >= kRecordsNoteInterval) {
    last_records_note_ = now;
    output_.Note(absl::StrFormat("reference: %d of %d records are in the cache", present, total));
  }
  output_.Emit(ProgressEvent("reference", {present, total, "responses"}));
}

void RunningAttempt::OnCacheUse(const CacheUse& use) {
  cache_use_ = use;
  ReportRunning();
}

void RunningAttempt::Note(const std::string& text) { output_.Note(text); }

void RunningAttempt::OnWaiting(const std::string& what) {
  output_.Emit(ProgressEvent("reference", {}, what));
}

void RunningAttempt::OnComputed(int64_t records) {
  services_.metrics->records_computed.Add(static_cast<double>(records));
}

void RunningAttempt::OnPulled(int64_t records) {
  services_.metrics->records_pulled.Add(static_cast<double>(records));
  records_pulled_ += records;
  const absl::Time now = BootNow();
  if (now - last_progress_ < kPullInterval) return;
  last_progress_ = now;
  std::string activity = absl::StrCat("fetching records from the cache: ", records_pulled_);
  if (cache_use_) absl::StrAppend(&activity, " of ", cache_use_->records_total);
  output_.Emit(ProgressEvent("reference", {}, activity));
}

}  // namespace fpo::worker
