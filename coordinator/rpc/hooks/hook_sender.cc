#include "coordinator/rpc/hooks/hook_sender.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/http/hmac.h"
#include "common/http/http_url.h"
#include "common/observe/log.h"
#include "common/status_macros.h"
#include "coordinator/core/coordinator.h"

namespace fpo::coordinator {
namespace {

constexpr absl::Duration kHookLook = absl::Milliseconds(200);
constexpr absl::Duration kHookTurn = absl::Seconds(1);  // then whoever stops this is heard

HttpTransfers::Options TransferOptions(const std::string& ca_file) {
  HttpTransfers::Options options;
  options.timeout = absl::Seconds(10);
  options.connect_timeout = absl::Seconds(5);
  options.response_bytes_max = 64 << 10;
  options.ca_file = ca_file;
  return options;
}

}  // namespace

HookSender::HookSender(HookSettings settings, const Dependencies& dependencies,
                       HookQueue::Options options)
    : dependencies_(dependencies),
      queue_(std::move(settings.hooks), dependencies.store,
             {[coordinator = dependencies.coordinator](uint64_t after, size_t jobs_max) {
               return coordinator->JobsToTellAfter(after, jobs_max);
             }},
             options),
      transfers_(TransferOptions(settings.ca_file)) {
  MetricsRegistry* registry = dependencies.registry;
  for (const Hook& hook : queue_.hooks()) {
    const auto counter = [&](const char* result) {
      return registry->AddCounter("fpo_webhook_deliveries_total",
                                  "Tries to tell a webhook of a job, by what became of them.",
                                  {{"hook", hook.name}, {"result", result}});
    };
    series_.push_back({counter("delivered"),
                       counter("failed"),
                       counter("given_up"),
                       registry->AddGauge("fpo_webhook_waiting",
                                          "What a webhook is yet to be told, up to a page.",
                                          {{"hook", hook.name}}),
                       {}});
  }
}

absl::StatusOr<std::unique_ptr<HookSender>> HookSender::Start(HookSettings settings,
                                                              const Dependencies& dependencies,
                                                              HookQueue::Options options) {
  std::unique_ptr<HookSender> sender(new HookSender(std::move(settings), dependencies, options));
  FPO_RETURN_IF_ERROR(sender->queue_.Load(sender->Now()));
  sender->ticker_.emplace(kHookLook, [raw = sender.get()](absl::Time) { raw->Turn(); });
  return sender;
}

HookSender::~HookSender() { Stop(); }

void HookSender::Stop() {
  if (ticker_) ticker_->Stop();
}

void HookSender::Turn() {
  const absl::Time end = dependencies_.steady->Now() + kHookTurn;
  while (true) {
    for (const HookDelivery& delivery : queue_.TakeDue(Now())) Send(delivery);
    if (transfers_.in_progress() == 0 || dependencies_.steady->Now() > end) break;
    for (const HttpTransfers::Done& done : transfers_.Wait(kHookLook)) Take(done);
  }
  for (size_t i = 0; i < series_.size(); ++i) ShowCounts(i);
}

void HookSender::Send(const HookDelivery& delivery) {
  const Hook& hook = queue_.hooks()[delivery.hook];
  HttpRequest request{hook.url, {}, delivery.body};
  const std::string time = absl::StrCat(absl::ToUnixSeconds(dependencies_.wall->Now()));
  request.headers = {"Content-Type: application/json", "User-Agent: fpo-coordinator",
                     absl::StrCat("X-FPO-Event: ", Name(delivery.event)),
                     absl::StrCat("X-FPO-Delivery: ", delivery.id),
                     absl::StrCat("X-FPO-Timestamp: ", time)};
  if (!hook.secret.empty()) {
    const Digest digest = HmacSha256(hook.secret, absl::StrCat(time, ".", delivery.body));
    request.headers.push_back(absl::StrCat("X-FPO-Signature: sha256=", ToHex(digest)));
  }
  transfers_.Start(delivery.hook, request);
}

void HookSender::Take(const HttpTransfers::Done& done) {
  const bool answered = done.response.ok();
  if (answered && done.response->status / 100 == 2) {
    queue_.Delivered(done.id, Now());
    return ShowCounts(done.id);
  }
  const Hook& hook = queue_.hooks()[done.id];
  Log(LogLevel::kWarning, "a webhook was not told of a job; it is tried again",
      {{"hook", hook.name},
       {"host", HttpOrigin(hook.url)},
       {"why", answered ? absl::StrCat("status ", done.response->status)
                        : std::string(done.response.status().message())}});
  queue_.Failed(done.id, answered ? done.response->retry_after : absl::ZeroDuration(), Now());
  ShowCounts(done.id);
}

void HookSender::ShowCounts(size_t hook) {
  HookSeries& series = series_[hook];
  const HookQueue::Counts& now = queue_.CountsOf(hook);
  series.delivered.Add(static_cast<double>(now.delivered - series.shown.delivered));
  series.failed.Add(static_cast<double>(now.failed - series.shown.failed));
  series.given_up.Add(static_cast<double>(now.given_up - series.shown.given_up));
  series.waiting.Set(static_cast<double>(now.waiting));
  series.shown = now;
}

}  // namespace fpo::coordinator
