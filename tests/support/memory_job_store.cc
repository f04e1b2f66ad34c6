#include "tests/support/memory_job_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/core/jobs/live_outputs.h"

namespace fpo::coordinator {

absl::StatusOr<StoreIdentity> MemoryJobStore::LoadIdentity() {
  absl::MutexLock lock(&mu_);
  return identity_;
}

absl::Status MemoryJobStore::PutIdentity(const StoreIdentity& identity) {
  absl::MutexLock lock(&mu_);
  FPO_RETURN_IF_ERROR(failure_);
  identity_ = identity;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Job>> MemoryJobStore::LoadJobs() {
  absl::MutexLock lock(&mu_);
  std::vector<Job> jobs;
  for (const auto& [id, job] : jobs_) {
    jobs.push_back(job);
    AddOlderFields(job.config_json, &jobs.back().demand);
    jobs.back().config_json.clear();
  }
  return jobs;
}

absl::StatusOr<std::string> MemoryJobStore::LoadConfig(const std::string& job_id) {
  absl::MutexLock lock(&mu_);
  const auto found = jobs_.find(job_id);
  if (found == jobs_.end()) return absl::NotFoundError(absl::StrCat("no configuration: ", job_id));
  return found->second.config_json;
}

absl::Status MemoryJobStore::CreateJob(const Job& job, const SubmittedRequest& request) {
  absl::MutexLock lock(&mu_);
  FPO_RETURN_IF_ERROR(failure_);
  if (requests_.count(request.request_id) != 0) {
    return absl::AlreadyExistsError(absl::StrCat("request ", request.request_id, " is known"));
  }
  jobs_[job.job_id] = job;
  identity_.revision = job.revision;
  requests_[request.request_id] = request;
  return absl::OkStatus();
}

absl::Status MemoryJobStore::PutJob(const Job& job) {
  absl::MutexLock lock(&mu_);
  FPO_RETURN_IF_ERROR(failure_);
  Job& stored = jobs_[job.job_id];
  std::string config_json = std::move(stored.config_json);
  stored = job;
  stored.config_json = std::move(config_json);
  identity_.revision = job.revision;
  return absl::OkStatus();
}

absl::Status MemoryJobStore::RemoveJob(const std::string& job_id) {
  absl::MutexLock lock(&mu_);
  FPO_RETURN_IF_ERROR(failure_);
  jobs_.erase(job_id);
  stocks_.erase(job_id);
  logs_.erase(job_id);
  events_.erase(job_id);
  std::erase_if(positions_, [&](const auto& each) { return each.first.ref.job_id == job_id; });
  return absl::OkStatus();
}

absl::StatusOr<std::optional<SubmittedRequest>> MemoryJobStore::FindRequest(
    const std::string& request_id) {
  absl::MutexLock lock(&mu_);
  const auto it = requests_.find(request_id);
  if (it == requests_.end()) return std::optional<SubmittedRequest>();
  return std::optional<SubmittedRequest>(it->second);
}

absl::StatusOr<std::string> MemoryJobStore::ForgetRequestsBefore(absl::Time time,
                                                                 const std::string& from,
                                                                 int32_t looked_max) {
  std::function<void()> hook;
  {
    absl::MutexLock lock(&mu_);
    hook = on_forget_;
  }
  if (hook) hook();
  absl::MutexLock lock(&mu_);
  if (!failure_.ok()) return failure_;
  for (auto it = requests_.lower_bound(from); it != requests_.end();) {
    if (looked_max-- == 0) return it->first;
    it = it->second.time < time ? requests_.erase(it) : std::next(it);
  }
  return std::string();
}

absl::StatusOr<std::vector<ProvisionRequest>> MemoryJobStore::LoadProvisionRequests() {
  absl::MutexLock lock(&mu_);
  std::vector<ProvisionRequest> requests;
  for (const auto& [id, request] : provision_) requests.push_back(request);
  return requests;
}

absl::Status MemoryJobStore::PutProvisionRequest(const ProvisionRequest& request) {
  absl::MutexLock lock(&mu_);
  if (!failure_.ok()) return failure_;
  provision_[request.id] = request;
  return absl::OkStatus();
}

absl::Status MemoryJobStore::RemoveProvisionRequest(const std::string& id) {
  absl::MutexLock lock(&mu_);
  if (!failure_.ok()) return failure_;
  provision_.erase(id);
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, WorkerMode>> MemoryJobStore::LoadWorkerModes() {
  absl::MutexLock lock(&mu_);
  return worker_modes_;
}

absl::Status MemoryJobStore::PutWorkerMode(const std::string& worker_id, const WorkerMode& mode) {
  absl::MutexLock lock(&mu_);
  FPO_RETURN_IF_ERROR(failure_);
  worker_modes_[worker_id] = mode;
  if (mode.kind == WorkerMode::Kind::kOpen) worker_modes_.erase(worker_id);
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, uint64_t>> MemoryJobStore::LoadHookMarks() {
  absl::MutexLock lock(&mu_);
  return hook_marks_;
}

absl::Status MemoryJobStore::PutHookMark(const std::string& hook, uint64_t revision) {
  absl::MutexLock lock(&mu_);
  FPO_RETURN_IF_ERROR(failure_);
  hook_marks_[hook] = revision;
  return absl::OkStatus();
}

absl::Status MemoryJobStore::PutLines(const LineWrite& write) {
  absl::MutexLock lock(&mu_);
  FPO_RETURN_IF_ERROR(failure_);
  if (!write.logs.empty()) FPO_RETURN_IF_ERROR(logs_failure_);
  const std::string& job_id = write.sender.ref.job_id;
  for (const LogLine& line : write.logs) logs_[job_id].push_back(line);
  for (const EventLine& line : write.events) events_[job_id].push_back(line);
  if (write.stock) stocks_[job_id] = *write.stock;
  positions_[write.sender] = write.position;
  if (write.job != nullptr) {
    jobs_[job_id] = *write.job;
    identity_.revision = write.job->revision;
  } else if (write.revision > 0) {
    identity_.revision = write.revision;
  }
  return absl::OkStatus();
}

absl::Status MemoryJobStore::Sync() {
  absl::MutexLock lock(&mu_);
  return failure_;
}

absl::StatusOr<SenderPosition> MemoryJobStore::PositionOf(const Sender& sender) {
  absl::MutexLock lock(&mu_);
  const auto it = positions_.find(sender);
  return it == positions_.end() ? SenderPosition{} : it->second;
}

absl::StatusOr<uint64_t> MemoryJobStore::LastEventCursor(const std::string& job_id) {
  absl::MutexLock lock(&mu_);
  return events_[job_id].empty() ? 0 : events_[job_id].back().cursor;
}

absl::StatusOr<uint64_t> MemoryJobStore::LastLogCursor(const std::string& job_id) {
  absl::MutexLock lock(&mu_);
  return logs_[job_id].empty() ? 0 : logs_[job_id].back().cursor;
}

absl::StatusOr<LogPage> MemoryJobStore::ReadLogs(const std::string& job_id, const LogQuery& query) {
  absl::MutexLock lock(&mu_);
  LogPage page{.lines = {}, .after = query.after, .at_end = false};
  int32_t looked = 0;
  int64_t looked_bytes = 0;
  size_t bytes = 0;
  for (const LogLine& line : logs_[job_id]) {
    if (line.cursor <= query.after) continue;
    if (page.lines.size() >= static_cast<size_t>(query.lines_max)) return page;
    if (looked++ >= query.looked_lines_max || looked_bytes >= query.looked_bytes_max) return page;
    looked_bytes += static_cast<int64_t>(line.text.size());
    if (Matches(query, line)) {
      bytes += line.text.size();
      if (!page.lines.empty() && bytes > static_cast<size_t>(query.bytes_max)) return page;
      page.lines.push_back(line);
    }
    page.after = line.cursor;
  }
  page.at_end = true;
  return page;
}

absl::StatusOr<LogTail> MemoryJobStore::FindTail(const std::string& job_id, const LogQuery& query,
                                                 LogTail tail) {
  absl::MutexLock lock(&mu_);
  const std::vector<LogLine>& all = logs_[job_id];
  int32_t looked = 0;
  for (auto it = all.rbegin(); it != all.rend(); ++it) {
    if (tail.before != 0 && it->cursor >= tail.before) continue;
    if (looked++ >= query.looked_lines_max) return tail;
    if (Matches(query, *it) && tail.lines_left-- == 0) {
      tail.found = true;
      tail.after = it->cursor;
      return tail;
    }
    tail.before = it->cursor;
  }
  tail.found = true;
  return tail;
}

absl::StatusOr<std::vector<EventLine>> MemoryJobStore::ReadEvents(const std::string& job_id,
                                                                  uint64_t after, int32_t limit) {
  std::function<void()> hook;
  {
    absl::MutexLock lock(&mu_);
    hook = on_read_events_;
  }
  if (hook) hook();
  absl::MutexLock lock(&mu_);
  std::vector<EventLine> lines;
  for (const EventLine& line : events_[job_id]) {
    if (line.cursor > after && lines.size() < static_cast<size_t>(limit)) lines.push_back(line);
  }
  return lines;
}

absl::StatusOr<std::map<std::string, LogStock>> MemoryJobStore::LoadLogStocks() {
  absl::MutexLock lock(&mu_);
  return stocks_;
}

absl::Status MemoryJobStore::PutLogStock(const std::string& job_id, const LogStock& stock) {
  absl::MutexLock lock(&mu_);
  FPO_RETURN_IF_ERROR(failure_);
  stocks_[job_id] = stock;
  return absl::OkStatus();
}

absl::Status MemoryJobStore::ReplaceLogs(const std::string& job_id, const LogLine& gap,
                                         const LogStock& stock) {
  absl::MutexLock lock(&mu_);
  FPO_RETURN_IF_ERROR(failure_);
  std::vector<LogLine>& lines = logs_[job_id];
  std::erase_if(lines, [&](const LogLine& line) { return line.cursor <= gap.cursor; });
  lines.insert(lines.begin(), gap);
  stocks_[job_id] = stock;
  return absl::OkStatus();
}

absl::Status MemoryJobStore::DropEventsBefore(const std::string& job_id, uint64_t cursor) {
  absl::MutexLock lock(&mu_);
  FPO_RETURN_IF_ERROR(failure_);
  std::erase_if(events_[job_id], [&](const EventLine& line) { return line.cursor < cursor; });
  return absl::OkStatus();
}

absl::Status MemoryJobStore::PutAudit(const AuditEntry& entry) {
  absl::MutexLock lock(&mu_);
  FPO_RETURN_IF_ERROR(failure_);
  audit_.push_back(entry);
  return absl::OkStatus();
}

absl::Status MemoryJobStore::DropAuditBefore(uint64_t cursor) {
  absl::MutexLock lock(&mu_);
  FPO_RETURN_IF_ERROR(failure_);
  std::erase_if(audit_, [&](const AuditEntry& entry) { return entry.cursor < cursor; });
  return absl::OkStatus();
}

absl::StatusOr<std::vector<AuditEntry>> MemoryJobStore::ReadAudit(uint64_t before, int32_t limit) {
  absl::MutexLock lock(&mu_);
  std::vector<AuditEntry> entries;
  for (auto it = audit_.rbegin(); it != audit_.rend(); ++it) {
    if (before != 0 && it->cursor >= before) continue;
    if (entries.size() < static_cast<size_t>(limit)) entries.push_back(*it);
  }
  return entries;
}

absl::Status MemoryJobStore::Check(absl::Time) {
  std::function<void()> hook;
  {
    absl::MutexLock lock(&mu_);
    hook = on_check_;
  }
  if (hook) hook();
  absl::MutexLock lock(&mu_);
  return failure_;
}

absl::Status MemoryJobStore::TakesLogs() const {
  absl::MutexLock lock(&mu_);
  return logs_failure_;
}

void MemoryJobStore::FailLogs(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  logs_failure_ = status;
}

void MemoryJobStore::OnCheck(std::function<void()> hook) {
  absl::MutexLock lock(&mu_);
  on_check_ = std::move(hook);
}

void MemoryJobStore::OnReadEvents(std::function<void()> hook) {
  absl::MutexLock lock(&mu_);
  on_read_events_ = std::move(hook);
}

void MemoryJobStore::OnForget(std::function<void()> hook) {
  absl::MutexLock lock(&mu_);
  on_forget_ = std::move(hook);
}

void MemoryJobStore::FailWrites(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  failure_ = status;
}

}  // namespace fpo::coordinator
