#include "coordinator/core/provision/provision_pass.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "coordinator/core/provision/provision_text.h"
#include "coordinator/core/scheduling/placement.h"

namespace fpo::coordinator {
namespace {

constexpr int kAsksAtOnce = 8;           // each waits for the disk
constexpr size_t kJobsConsidered = 500;  // no more workers come at once
constexpr char kComing = '?';            // no worker's name begins with it

}  // namespace

const ProvisionPool& ProvisionPass::PoolOf(const ProvisionRequest& request) const {
  return *std::find_if(tables_.pools->begin(), tables_.pools->end(),
                       [&](const ProvisionPool& pool) { return pool.name == request.pool; });
}

// A worker on its way is a free one that is called "?REQUEST/NUMBER".
void ProvisionPass::AddComing(const ProvisionEntry& entry) {
  if (!entry.request.is_coming()) return;
  const ProvisionPool& pool = PoolOf(entry.request);
  for (int32_t i = entry.request.arrived; i < entry.request.workers; ++i) {
    SlotOffer offer;
    offer.worker_id = absl::StrCat(std::string(1, kComing), entry.request.id, "/", i);
    offer.device = pool.device;
    offer.slots = offer.free = pool.slots_per_worker;
    offer.connected = true;
    offer.labels = pool.labels;
    offers_.push_back(std::move(offer));
  }
}

std::map<std::string, std::string> ProvisionPass::Run(const std::vector<const Job*>& waiting) {
  for (auto& [id, entry] : *tables_.entries) {
    entry.needed = false;
    AddComing(entry);
  }
  std::map<std::string, std::string> notes;
  for (size_t i = 0; i < waiting.size() && i < kJobsConsidered; ++i) {
    std::string note = Consider(*waiting[i]);
    if (!note.empty()) notes[waiting[i]->job_id] = std::move(note);
  }
  std::erase_if(*tables_.lacking_since,
                [&](const auto& each) { return lacking_.count(each.first) == 0; });
  return notes;
}

std::string ProvisionPass::Consider(const Job& job) {
  std::vector<Member> members = Place(job, Eligible(job, offers_), {});
  if (members.empty()) {
    std::string refusal = AskFor(job);
    if (!refusal.empty()) return refusal;
    members = Place(job, Eligible(job, offers_), {});
  }
  Take(members, &offers_);
  std::string note;
  for (const Member& member : members) {
    if (member.worker[0] != kComing) continue;
    const std::string id = member.worker.substr(1, member.worker.find('/') - 1);
    ProvisionEntry& entry = tables_.entries->at(id);
    entry.needed = true;
    counts_on_[job.job_id].insert(id);
    if (note.empty()) note = RequestNote(entry.request, PoolOf(entry.request));
  }
  return note;
}

std::string ProvisionPass::AskFor(const Job& job) {
  lacking_.insert(job.job_id);
  const Moment since = tables_.lacking_since->try_emplace(job.job_id, now_).first->second;
  std::string why;
  for (const ProvisionPool& pool : *tables_.pools) {
    if (!CanHold(pool, job)) continue;
    std::string refusal = Refusal(pool, job);
    if (refusal.empty() && now_.steady - since.steady < pool.ask_after) {
      refusal = WaitNote(pool, job, since.wall + pool.ask_after);
    } else if (refusal.empty() && asks_++ < kAsksAtOnce) {
      ProvisionRequest request;
      request.pool = pool.name;
      request.job_id = job.job_id;
      request.owner = job.owner;
      request.workers = WorkersFor(pool, job);
      request.asked = now_.wall;
      const auto backoff = tables_.backoffs->find(ShapeOf(request));
      if (backoff != tables_.backoffs->end()) request.attempt = backoff->second.failures + 1;
      const ProvisionEntry* entry = on_ask(std::move(request));
      if (entry == nullptr) return "the request for workers cannot be stored";
      AddComing(*entry);
      return "";
    }
    if (why.empty()) why = refusal;
  }
  return why.empty() ? NoPoolNote(*tables_.pools, job) : why;
}

std::string ProvisionPass::Refusal(const ProvisionPool& pool, const Job& job) const {
  const int32_t workers = WorkersFor(pool, job);
  const auto backoff = tables_.backoffs->find({pool.name, workers});
  if (backoff != tables_.backoffs->end() && now_.steady < backoff->second.until.steady) {
    return BackoffNote(pool, backoff->second.why, backoff->second.until.wall);
  }
  int32_t used = 0, used_by_owner = 0;
  for (const auto& [id, entry] : *tables_.entries) {
    if (entry.request.pool != pool.name) continue;
    used += entry.request.workers;
    if (entry.request.owner == job.owner) used_by_owner += entry.request.workers;
  }
  if (used + workers > pool.max_workers) {
    return QuotaNote(pool, {used, pool.max_workers, workers}, "");
  }
  const bool over =
      pool.max_workers_per_owner > 0 && used_by_owner + workers > pool.max_workers_per_owner;
  return over ? QuotaNote(pool, {used_by_owner, pool.max_workers_per_owner, workers}, job.owner)
              : "";
}

}  // namespace fpo::coordinator
