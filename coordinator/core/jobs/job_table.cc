#include "coordinator/core/jobs/job_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/error_info.h"
#include "common/status_macros.h"
#include "coordinator/core/scheduling/explain.h"

namespace fpo::coordinator {
namespace {

absl::Status NoSuchJob(absl::string_view job_ref) {
  return WithErrorInfo(
      absl::NotFoundError(absl::StrCat("no job has the id, name or id prefix \"", job_ref, "\"")),
      {.reason = ErrorReason::kJobNotFound, .hint = "fpoctl list", .ids = {std::string(job_ref)}});
}

absl::Status OutputInUse(const Job& job, const Job& holder) {
  const std::string& wanted = job.demand.output;
  const std::string& held = holder.demand.output;
  const std::string where = wanted == held ? "" : absl::StrCat(" (it writes to ", held, ")");
  return WithErrorInfo(
      absl::FailedPreconditionError(
          absl::StrCat("output: ", wanted, " is in use by job ", holder.job_id, " \"", holder.name,
                       "\"", where, ", which is ", Name(holder.state),
                       "; two jobs in one folder would overwrite each other")),
      {.reason = ErrorReason::kOutputInUse,
       .field = "output",
       .hint = absl::StrCat("choose another folder: --set output=...; or let it end first: ",
                            "--after ", holder.job_id, ", or fpoctl cancel ", holder.job_id),
       .ids = {holder.job_id}});
}

bool Matches(const Job& job, const JobFilter& filter) {
  const bool state = filter.states.empty() || std::find(filter.states.begin(), filter.states.end(),
                                                        job.state) != filter.states.end();
  if (!state || (!filter.owner.empty() && job.owner != filter.owner)) return false;
  if (!filter.name.empty() && job.name != filter.name) return false;
  return std::all_of(filter.labels.begin(), filter.labels.end(), [&](const auto& label) {
    const auto found = job.labels.find(label.first);
    return found != job.labels.end() && found->second == label.second;
  });
}

}  // namespace

absl::Status JobTable::Load() {
  FPO_ASSIGN_OR_RETURN(std::vector<Job> jobs, store_->LoadJobs());
  for (Job& job : jobs) {
    revision_ = std::max(revision_, job.revision);
    ids_.Saw(job.job_id);
    if (job.state == JobState::kSucceeded) run_times_.Note(job);
    Index(std::make_shared<const Job>(std::move(job)));
  }
  FPO_ASSIGN_OR_RETURN(identity_, store_->LoadIdentity());
  // The newest change may have been of a job that is removed.
  revision_ = identity_.revision = std::max(revision_, identity_.revision);
  return absl::OkStatus();
}

absl::Status JobTable::ConfirmStore() {
  StoreIdentity confirmed = identity_;
  confirmed.confirmed = true;
  return PutIdentity(confirmed);
}

absl::Status JobTable::EndRestore() {
  StoreIdentity identity = identity_;
  identity.restored = false;
  return PutIdentity(identity);
}

absl::Status JobTable::PutIdentity(const StoreIdentity& identity) {
  FPO_RETURN_IF_ERROR(store_->PutIdentity(identity));
  identity_ = identity;
  return absl::OkStatus();
}

absl::Status JobTable::SettleDoubts(std::function<WorkerMode(const std::string& worker_id)> mode) {
  return store_->SettleDoubts(
      {.job = [this](const std::string& job_id) { return Get(job_id); }, .mode = std::move(mode)});
}

absl::StatusOr<JobPtr> JobTable::Create(Job job, SubmittedRequest request, absl::Time now) {
  FPO_RETURN_IF_ERROR(refuses_new_);
  job.job_id = ids_.Next(now);
  job.submitted = job.state_since = now;
  job.demand.config_bytes = static_cast<int64_t>(job.config_json.size());
  if (job.state == JobState::kHeld) job.reason = ExplainHeld(job);
  job.revision = revision_ + 1;
  request.job_id = job.job_id;
  request.time = now;
  FPO_RETURN_IF_ERROR(store_->CreateJob(job, request));
  identity_.revision = job.revision;
  std::string().swap(job.config_json);  // with its memory
  return Publish(std::move(job));
}

absl::StatusOr<JobPtr> JobTable::WithConfig(const JobPtr& job) const {
  Job full = *job;
  FPO_ASSIGN_OR_RETURN(full.config_json, store_->LoadConfig(job->job_id));
  return std::make_shared<const Job>(std::move(full));
}

absl::StatusOr<JobPtr> JobTable::ApplyEvent(const std::string& job_id, const JobEvent& event,
                                            absl::Time now) {
  const JobPtr before = Get(job_id);
  if (!before) return NoSuchJob(job_id);
  FPO_ASSIGN_OR_RETURN(Job job, Apply(*before, event, now));
  if (job == *before) return before;
  return Put(std::move(job));
}

absl::StatusOr<JobPtr> JobTable::Put(Job job) {
  job.revision = revision_ + 1;
  FPO_RETURN_IF_ERROR(store_->PutJob(job));
  identity_.revision = job.revision;
  return Publish(std::move(job));
}

void JobTable::NoteLines(const LineWrite& write) {
  lines_revision_ = write.revision;
  if (write.job == nullptr) ++revision_;
}

void JobTable::LinesAreDurable(uint64_t lines_revision) {
  identity_.revision = std::max(identity_.revision, lines_revision);
}

JobPtr JobTable::Publish(Job job) {
  job.revision = ++revision_;
  auto snapshot = std::make_shared<const Job>(std::move(job));
  Index(snapshot);
  const auto watches = watches_.find(snapshot->job_id);
  if (watches != watches_.end()) {
    for (const auto& [id, watch] : watches->second) watch.on_job(snapshot);
  }
  return snapshot;
}

void JobTable::SetReason(const std::string& job_id, const WaitReason& reason) {
  const JobPtr before = Get(job_id);
  if (!before) return;
  if (WaitReason{before->waits_for, before->reason, before->workers_away} == reason) return;
  Job job = *before;
  job.waits_for = reason.standing;
  job.reason = reason.text;
  job.workers_away = reason.workers_away;
  Publish(std::move(job));
}

absl::Status JobTable::Remove(const std::string& job_id) {
  const JobPtr job = Get(job_id);
  if (!job) return absl::OkStatus();
  FPO_RETURN_IF_ERROR(store_->RemoveJob(job_id));
  --counts_[static_cast<size_t>(job->state)];
  config_bytes_ -= job->demand.config_bytes;
  const auto named = ids_by_name_.find(job->name);
  if (named != ids_by_name_.end() && named->second.erase(job_id) > 0 && named->second.empty()) {
    ids_by_name_.erase(named);
  }
  const std::string& data_key = job->demand.data_key;
  const auto user = cache_users_.find(data_key);
  if (user != cache_users_.end() && user->second == job_id) cache_users_.erase(user);
  if (--jobs_by_data_key_[data_key] == 0) {
    jobs_by_data_key_.erase(data_key);
    files_.erase(data_key);
  }
  const auto bytes = config_bytes_by_owner_.find(job->owner);
  if (bytes != config_bytes_by_owner_.end() && (bytes->second -= job->demand.config_bytes) <= 0) {
    config_bytes_by_owner_.erase(bytes);
  }
  tell_order_.Forget(job_id);
  jobs_.erase(job_id);
  return absl::OkStatus();
}

JobsToTell JobTable::ToTellAfter(uint64_t revision, size_t jobs_max) const {
  JobsToTell found;
  for (const auto& [at, job_id] : tell_order_.After(revision, jobs_max)) {
    found.jobs.emplace_back(at, Get(job_id));
  }
  const bool is_full = jobs_max > 0 && found.jobs.size() == jobs_max;
  found.complete_to = is_full ? found.jobs.back().first : revision_;
  return found;
}

void JobTable::Index(const JobPtr& job) {
  JobPtr& slot = jobs_[job->job_id];
  const bool was_live = slot && !IsTerminal(slot->state);
  if (slot) {
    --counts_[static_cast<size_t>(slot->state)];
  } else {
    ++jobs_by_data_key_[job->demand.data_key];
    if (job->demand.config_bytes > 0) {
      config_bytes_by_owner_[job->owner] += job->demand.config_bytes;
    }
    config_bytes_ += job->demand.config_bytes;
  }
  ++counts_[static_cast<size_t>(job->state)];
  slot = job;
  int64_t& live = live_by_owner_[job->owner];
  live += (IsTerminal(job->state) ? 0 : 1) - (was_live ? 1 : 0);
  if (live == 0) live_by_owner_.erase(job->owner);
  live_outputs_.Note(job->demand.output, job->job_id, !IsTerminal(job->state));
  if (job->progress.cache.records_total > 0) cache_users_[job->demand.data_key] = job->job_id;
  if (was_live && job->state == JobState::kSucceeded) run_times_.Note(*job);
  if (was_live && IsTerminal(job->state) && on_end_) on_end_(job);
  if (job->phase_reached >= Phase::kReference && !job->attempts.empty() &&
      !job->demand.data_key.empty()) {
    for (const Member& member : job->attempts.back().members) {
      files_[job->demand.data_key].insert(member.worker);
    }
  }
  tell_order_.Note(*job);
  if (!job->name.empty()) ids_by_name_[job->name].insert(job->job_id);
  if (HasAttempt(job->state)) {
    with_attempt_.insert(job->job_id);
  } else {
    with_attempt_.erase(job->job_id);
  }
  if (job->state == JobState::kQueued) {
    queue_.Add(*job);
  } else {
    queue_.Remove(job->job_id);
  }
}

JobPtr JobTable::Get(const std::string& job_id) const {
  const auto it = jobs_.find(job_id);
  return it == jobs_.end() ? nullptr : it->second;
}

JobPtr JobTable::NewestNamed(const std::string& name, absl::string_view owner) const {
  const auto named = ids_by_name_.find(name);
  if (named == ids_by_name_.end()) return nullptr;
  for (auto id = named->second.rbegin(); id != named->second.rend(); ++id) {
    JobPtr job = Get(*id);
    if (owner.empty() || job->owner == owner) return job;
  }
  return nullptr;
}

absl::StatusOr<JobPtr> JobTable::Find(absl::string_view job_ref, absl::string_view owner) const {
  const std::string key(job_ref);
  if (JobPtr job = Get(key)) return job;
  if (JobPtr job = NewestNamed(key, owner)) return job;
  std::vector<std::string> found;
  if (!key.empty()) {
    for (auto it = jobs_.lower_bound(key); it != jobs_.end() && found.size() < 6; ++it) {
      if (!absl::StartsWith(it->first, key)) break;
      found.push_back(it->first);
    }
  }
  if (found.size() == 1) return Get(found.front());
  if (found.empty()) {
    JobPtr other = NewestNamed(key, "");
    return other != nullptr ? absl::StatusOr<JobPtr>(std::move(other)) : NoSuchJob(job_ref);
  }
  return WithErrorInfo(absl::InvalidArgumentError(absl::StrCat(
                           "\"", job_ref, "\" begins the ids of several jobs: ",
                           absl::StrJoin(found, ", "), found.size() > 5 ? ", ..." : "")),
                       {.reason = ErrorReason::kAmbiguousJob,
                        .field = "job_id",
                        .hint = "give more of the id",
                        .ids = found});
}

int64_t JobTable::LiveJobsOf(const std::string& owner) const {
  const auto found = live_by_owner_.find(owner);
  return found == live_by_owner_.end() ? 0 : found->second;
}

bool JobTable::WaitsFor(const Job& job, const std::string& other) const {
  std::set<std::string> seen;
  std::vector<const Job*> open = {&job};
  while (!open.empty()) {
    const Job* const next = open.back();
    open.pop_back();
    for (const auto* ids : {&next->after_ok, &next->after_end}) {
      for (const std::string& id : *ids) {
        if (id == other) return true;
        const JobPtr before = seen.insert(id).second ? Get(id) : nullptr;
        if (before != nullptr && !IsTerminal(before->state)) open.push_back(before.get());
      }
    }
  }
  return false;
}

absl::Status JobTable::CheckOutputIsFree(const Job& job) const {
  for (const std::string& id : live_outputs_.HoldersOf(job.demand.output)) {
    const JobPtr holder = Get(id);
    if (holder != nullptr && !WaitsFor(job, id)) return OutputInUse(job, *holder);
  }
  return absl::OkStatus();
}

int64_t JobTable::ConfigBytesOf(const std::string& owner) const {
  const auto found = config_bytes_by_owner_.find(owner);
  return found == config_bytes_by_owner_.end() ? 0 : found->second;
}

JobPtr JobTable::NewestCacheUser(const std::string& data_key) const {
  const auto found = cache_users_.find(data_key);
  JobPtr job = data_key.empty() || found == cache_users_.end() ? nullptr : Get(found->second);
  if (job == nullptr) return job;
  absl::StatusOr<JobPtr> full = WithConfig(job);
  return full.ok() ? *std::move(full) : job;
}

JobPage JobTable::List(const JobFilter& filter) const {
  JobPage page;
  const auto begin = filter.page_token.empty() ? jobs_.end() : jobs_.lower_bound(filter.page_token);
  for (auto it = std::make_reverse_iterator(begin); it != jobs_.rend(); ++it) {
    if (!Matches(*it->second, filter)) continue;
    if (page.jobs.size() == static_cast<size_t>(filter.page_size)) {
      page.next_page_token = page.jobs.back()->job_id;
      break;
    }
    page.jobs.push_back(it->second);
  }
  return page;
}

std::vector<JobPtr> JobTable::WithAttempt() const {
  std::vector<JobPtr> jobs;
  for (const std::string& id : with_attempt_) jobs.push_back(Get(id));
  return jobs;
}

std::vector<JobPtr> JobTable::All() const {
  std::vector<JobPtr> jobs;
  for (const auto& [id, job] : jobs_) jobs.push_back(job);
  return jobs;
}

std::vector<JobPtr> JobTable::Queued() const {
  std::vector<JobPtr> jobs;
  for (const std::string& id : queue_.InOrder()) jobs.push_back(Get(id));
  return jobs;
}

WatchId JobTable::Watch(const std::string& job_id, JobWatch watch) {
  watches_[job_id].emplace(++last_watch_, std::move(watch));
  return last_watch_;
}

void JobTable::Unwatch(const std::string& job_id, WatchId id) {
  const auto it = watches_.find(job_id);
  if (it == watches_.end()) return;
  it->second.erase(id);
  if (it->second.empty()) watches_.erase(it);
}

void JobTable::NotifyLines(const std::string& job_id) const {
  const auto it = watches_.find(job_id);
  if (it == watches_.end()) return;
  for (const auto& [id, watch] : it->second) watch.on_lines();
}

void JobTable::NotifyLinesOfTerminalJobs() const {
  for (const auto& [job_id, watches] : watches_) {
    const JobPtr job = Get(job_id);
    if (job && IsTerminal(job->state)) NotifyLines(job_id);
  }
}

}  // namespace fpo::coordinator
