#include "coordinator/core/workers/worker_registry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/text/worker_name.h"

namespace fpo::coordinator {
namespace {

absl::Status Replaced(const WorkerHello& by) {
  return WithErrorInfo(
      absl::FailedPreconditionError(
          absl::StrCat("another agent took the name of worker ", by.worker_id, ": from ", by.host,
                       by.work_dir.empty() ? "" : absl::StrCat(" (work dir ", by.work_dir, ")"))),
      {.reason = ErrorReason::kWorkerReplaced,
       .hint = "give each agent its own --name",
       .ids = {by.worker_id}});
}

constexpr size_t kWordMax = 253;
constexpr size_t kListMax = 1024;
constexpr size_t kPathMax = 4096;
constexpr int32_t kSlotsMax = 1024;

bool IsShort(const std::map<std::string, std::string>& labels) {
  return std::all_of(labels.begin(), labels.end(), [](const auto& label) {
    return label.first.size() <= kWordMax && label.second.size() <= kWordMax;
  });
}

}  // namespace

absl::Status CheckHello(const WorkerHello& hello) {
  const char* what = nullptr;
  if (!IsWorkerName(hello.worker_id)) what = "its name is not 1 to 253 of letters, digits, ._-";
  if (hello.instance_id.empty()) what = "it names no instance";
  if (!hello.device)
    what = "it names no kind of device: coordinator and worker must be of one version";
  if (hello.slots < 1 || hello.slots > kSlotsMax) what = "its slots are not 1 to 1024";
  if (hello.labels.size() > kListMax || hello.devices.size() > kListMax ||
      hello.running.size() > kListMax) {
    what = "a list in it is longer than 1024";
  }
  if (hello.instance_id.size() > kWordMax || hello.host.size() > kWordMax ||
      hello.version.size() > kWordMax || hello.home_id.size() > kWordMax ||
      hello.boot_id.size() > kWordMax || !IsShort(hello.labels) ||
      std::any_of(hello.devices.begin(), hello.devices.end(),
                  [](const Device& device) { return device.name.size() > kWordMax; })) {
    what = "a word in it is longer than 253 bytes";
  }
  if (hello.work_dir.size() > kPathMax) {
    what = "its work dir is longer than 4096 bytes";
  }
  if (what == nullptr) return absl::OkStatus();
  return WithErrorInfo(absl::InvalidArgumentError(absl::StrCat(
                           "hello of worker \"",
                           absl::CHexEscape(hello.worker_id.substr(0, kWordMax)), "\": ", what)),
                       {.reason = ErrorReason::kBadHello, .field = "hello"});
}

absl::Status NoSuchWorker(const std::string& worker_id) {
  return WithErrorInfo(
      absl::NotFoundError(absl::StrCat("no worker has the name \"", worker_id, "\"")),
      {.reason = ErrorReason::kWorkerNotFound, .hint = "fpoctl workers list", .ids = {worker_id}});
}

std::optional<NameHolder> WorkerRegistry::HolderFor(const WorkerHello& newcomer) const {
  const auto it = workers_.find(newcomer.worker_id);
  if (it == workers_.end()) return std::nullopt;
  const Entry& entry = it->second;
  if (entry.hello.instance_id == newcomer.instance_id) return std::nullopt;
  NameHolder holder{entry.hello, entry.link != nullptr, entry.last_heartbeat.steady, std::nullopt};
  if (entry.asking == newcomer.instance_id) holder.asked = entry.asked;
  return holder;
}

void WorkerRegistry::NoteAsked(const WorkerHello& newcomer, absl::Time steady) {
  const auto it = workers_.find(newcomer.worker_id);
  if (it == workers_.end() || it->second.asking == newcomer.instance_id) return;
  it->second.asking = newcomer.instance_id;
  it->second.asked = steady;
}

void WorkerRegistry::Connect(const WorkerHello& hello, std::shared_ptr<WorkerLink> link,
                             const Moment& now) {
  Entry& entry = workers_[hello.worker_id];
  const bool same_process = entry.hello.instance_id == hello.instance_id;
  if (entry.link) {
    entry.link->Close(same_process ? absl::UnavailableError("the agent opened a newer session")
                                   : Replaced(hello));
  }
  if (!same_process) {
    entry.holds.clear();  // processes do not outlive their agent
    entry.avoided_until.reset();
    ReopenIfAutomatic(hello.worker_id);
  }
  entry.hello = hello;
  entry.link = std::move(link);
  entry.last_heartbeat = now;
  entry.asking.clear();
}

bool WorkerRegistry::IsSession(const std::string& worker_id, const WorkerLink* link) const {
  const auto it = workers_.find(worker_id);
  return it != workers_.end() && link != nullptr && it->second.link.get() == link;
}

void WorkerRegistry::MarkLost(Entry* entry, absl::Time steady) {
  entry->link.reset();
  entry->lost_since = steady;
}

bool WorkerRegistry::Disconnect(const std::string& worker_id, const WorkerLink* link,
                                absl::Time steady) {
  if (!IsSession(worker_id, link)) return false;
  MarkLost(&workers_[worker_id], steady);
  return true;
}

bool WorkerRegistry::Heartbeat(const std::string& worker_id, const WorkerLink* link,
                               const Moment& now) {
  if (!IsSession(worker_id, link)) return false;
  workers_[worker_id].last_heartbeat = now;
  return true;
}

bool WorkerRegistry::Send(const std::string& worker_id, const WorkerCommand& command) {
  const auto it = workers_.find(worker_id);
  if (it == workers_.end() || !it->second.link) return false;
  it->second.link->Send(command);
  return true;
}

void WorkerRegistry::CloseSession(const std::string& worker_id, const absl::Status& why,
                                  absl::Time steady) {
  const auto it = workers_.find(worker_id);
  if (it == workers_.end() || !it->second.link) return;
  it->second.link->Close(why);
  MarkLost(&it->second, steady);
}

void WorkerRegistry::CloseAll(const absl::Status& why) {
  for (auto& [id, entry] : workers_) {
    if (entry.link) entry.link->Close(why);
    entry.link.reset();
  }
}

void WorkerRegistry::Hold(const std::string& worker_id, const AttemptRef& ref, int32_t slots) {
  const auto it = workers_.find(worker_id);
  if (it != workers_.end()) it->second.holds[ref] = Slots{.count = slots};
}

void WorkerRegistry::Release(const std::string& worker_id, const AttemptRef& ref) {
  const auto it = workers_.find(worker_id);
  if (it != workers_.end()) it->second.holds.erase(ref);
}

void WorkerRegistry::ReleaseBy(const std::string& worker_id, const AttemptRef& ref,
                               absl::Time steady) {
  const auto it = workers_.find(worker_id);
  if (it == workers_.end()) return;
  const auto hold = it->second.holds.find(ref);
  if (hold != it->second.holds.end()) hold->second.release_by = steady;
}

void WorkerRegistry::Avoid(const std::string& worker_id, absl::Time until_steady) {
  const auto it = workers_.find(worker_id);
  if (it != workers_.end()) it->second.avoided_until = until_steady;
}

void WorkerRegistry::ReleaseOverdue(absl::Time steady) {
  for (auto& [id, entry] : workers_) {
    std::erase_if(entry.holds, [&](const auto& hold) { return hold.second.release_by <= steady; });
    if (entry.avoided_until && *entry.avoided_until <= steady) entry.avoided_until.reset();
  }
}

int32_t WorkerRegistry::Used(const Entry& entry) {
  int32_t used = 0;
  for (const auto& [ref, slots] : entry.holds) used += slots.count;
  return used;
}

WorkerState WorkerView::state() const {
  if (!connected) return WorkerState::kLost;
  switch (mode.kind) {
    case WorkerMode::Kind::kCordoned:
      return WorkerState::kCordoned;
    case WorkerMode::Kind::kDraining:
      return slots_used > 0 ? WorkerState::kDraining : WorkerState::kDrained;
    case WorkerMode::Kind::kOpen:
      break;
  }
  return WorkerState::kReady;
}

std::vector<SlotOffer> WorkerRegistry::Offers(absl::Time steady, absl::Duration grace) const {
  std::vector<SlotOffer> offers;
  for (const auto& [id, entry] : workers_) {
    SlotOffer offer;
    offer.worker_id = id;
    offer.instance_id = entry.hello.instance_id;
    offer.device = entry.hello.device.value_or(DeviceKind::kCpu);
    offer.slots = entry.hello.slots;
    offer.free = std::max(0, entry.hello.slots - Used(entry));
    offer.connected = entry.link != nullptr;
    offer.open = modes_.count(id) == 0 && !entry.avoided_until;
    offer.labels = entry.hello.labels;
    offer.gone = !offer.connected && steady - entry.lost_since >= grace;
    offer.home = entry.hello.home_id;
    offers.push_back(std::move(offer));
  }
  return offers;
}

WorkerView WorkerRegistry::ViewOf(const std::string& worker_id, const Entry& entry,
                                  absl::Time steady) const {
  WorkerView view;
  view.hello = entry.hello;
  view.connected = entry.link != nullptr;
  view.slots_used = Used(entry);
  view.last_heartbeat = entry.last_heartbeat.wall;
  view.heartbeat_age = std::max(absl::ZeroDuration(), steady - entry.last_heartbeat.steady);
  view.mode = ModeOf(worker_id);
  for (const auto& [ref, slots] : entry.holds) {
    if (view.jobs.empty() || view.jobs.back() != ref.job_id) view.jobs.push_back(ref.job_id);
  }
  return view;
}

std::vector<WorkerView> WorkerRegistry::List(absl::Time steady) const {
  std::vector<WorkerView> list;
  for (const auto& [id, entry] : workers_) list.push_back(ViewOf(id, entry, steady));
  return list;
}

std::optional<WorkerView> WorkerRegistry::View(const std::string& worker_id,
                                               absl::Time steady) const {
  const auto it = workers_.find(worker_id);
  if (it == workers_.end()) return std::nullopt;
  return ViewOf(worker_id, it->second, steady);
}

void WorkerRegistry::SetMode(const std::string& worker_id, const WorkerMode& mode) {
  modes_[worker_id] = mode;
  if (mode.kind == WorkerMode::Kind::kOpen) modes_.erase(worker_id);
}

void WorkerRegistry::ReopenIfAutomatic(const std::string& worker_id) {
  const auto it = modes_.find(worker_id);
  if (it != modes_.end() && it->second.automatic) modes_.erase(it);
}

WorkerMode WorkerRegistry::ModeOf(const std::string& worker_id) const {
  const auto it = modes_.find(worker_id);
  return it == modes_.end() ? WorkerMode() : it->second;
}

std::optional<WorkerHello> WorkerRegistry::Find(const std::string& worker_id) const {
  const auto it = workers_.find(worker_id);
  if (it == workers_.end()) return std::nullopt;
  return it->second.hello;
}

absl::StatusOr<WorkerView> WorkerRegistry::Forgettable(const std::string& worker_id,
                                                       absl::Duration lease,
                                                       absl::Time steady) const {
  const auto it = workers_.find(worker_id);
  if (it == workers_.end()) return NoSuchWorker(worker_id);
  const auto refused = [&](absl::string_view what, ErrorReason reason, std::string hint) {
    return WithErrorInfo(
        absl::FailedPreconditionError(absl::StrCat("worker ", worker_id, " ", what)),
        {.reason = reason, .hint = std::move(hint), .ids = {worker_id}});
  };
  if (it->second.link) {
    return refused("is connected", ErrorReason::kWorkerConnected,
                   absl::StrCat("stop its agent first; to move its jobs elsewhere: ",
                                "fpoctl workers drain ", worker_id));
  }
  if (lease > absl::ZeroDuration()) {
    return refused(absl::StrCat("was lost just now and may still run something for ",
                                absl::FormatDuration(absl::Ceil(lease, absl::Seconds(1)))),
                   ErrorReason::kWorkerLeased, "try again then");
  }
  return ViewOf(worker_id, it->second, steady);
}

void WorkerRegistry::Forget(const std::string& worker_id) {
  workers_.erase(worker_id);
  modes_.erase(worker_id);
}

bool WorkerRegistry::Leave(const std::string& worker_id, const WorkerLink* link) {
  if (!IsSession(worker_id, link) || !workers_[worker_id].holds.empty()) return false;
  workers_.erase(worker_id);
  return true;
}

void WorkerRegistry::ForgetLost(absl::Time steady, absl::Duration after) {
  std::erase_if(workers_, [&](const auto& worker) {
    return !worker.second.link && steady - worker.second.last_heartbeat.steady >= after;
  });
}

}  // namespace fpo::coordinator
