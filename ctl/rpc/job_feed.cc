#include "ctl/rpc/job_feed.h"

#include <utility>

#include "common/clock.h"
#include "common/waits/steady_wait.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/rpc_status.h"
#include "ctl/show/job_facts.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

// A reader this far behind loses intermediate states, never the newest.
constexpr size_t kItemsMax = 1024;

}  // namespace

JobFeed::JobFeed(const CoordinatorClient& client, Options options, Interrupt& interrupt)
    : options_(std::move(options)),
      on_interrupt_(interrupt, [this] { stop_.Raise(); }),
      client_(client.With(&stop_)) {}

void JobFeed::Start() { thread_ = std::thread(&JobFeed::Run, this); }

void JobFeed::Stop() {
  stop_.Raise();
  if (thread_.joinable()) thread_.join();
}

std::optional<JobFeed::Item> JobFeed::Next(absl::Duration patience) {
  absl::MutexLock lock(&mutex_);
  const auto has_items = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !items_.empty(); };
  if (!AwaitFor(&mutex_, absl::Condition(&has_items), patience)) return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  return item;
}

void JobFeed::Run() { Push({Item::Kind::kEnd, {}, Follow()}); }

absl::Status JobFeed::Follow() {
  ReconnectPolicy policy(options_.reconnect);
  if (options_.answered) policy.Answered();
  bool ended = false;
  while (true) {
    absl::Status status =
        client_.WatchJob(options_.job_id, [&](const pb::WatchJobResponse& answer) {
          policy.Answered();
          ended = IsTerminal(answer.job());
          Push({Item::Kind::kJob, answer.job(), absl::OkStatus()});
        });
    if (ended) return absl::OkStatus();
    if (stop_.raised()) return InterruptedError();
    // A stream that ends well before the job has means that the server is shutting down.
    if (status.ok()) status = absl::UnavailableError("the coordinator ended the stream");
    if (!IsLost(status)) return status;
    const std::optional<absl::Duration> wait = policy.NextWait(BootNow());
    if (!wait) return status;
    Push({Item::Kind::kLost, {}, status});
    if (stop_.WaitFor(*wait)) return InterruptedError();
  }
}

void JobFeed::Push(Item item) {
  absl::MutexLock lock(&mutex_);
  if (items_.size() >= kItemsMax) items_.pop_front();
  items_.push_back(std::move(item));
}

}  // namespace fpo::ctl
