#include "coordinator/core/hooks/hook.h"

#include <fnmatch.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/hash.h"

namespace fpo::coordinator {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr char kNotifyLabel[] = "notify";  // "team-a" or "team-a,ops"
constexpr size_t kReasonBytesMax = 4096;

double NumberOf(const Job& job, const char* name, double otherwise) {
  const auto found = job.result.find(name);
  return found == job.result.end() ? otherwise : found->second;
}

bool BrokeItsBudget(const Job& job) {
  return NumberOf(job, "constraint/held", 1) == 0 || NumberOf(job, "eval_contracts_broken", 0) > 0;
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

OrderedJson JobJson(const Job& job) {
  OrderedJson json;
  json["id"] = job.job_id;
  json["name"] = job.name;
  json["owner"] = job.owner;
  json["kind"] = job.kind.has_value() ? std::string(Name(*job.kind)) : "";
  json["method"] = job.method;
  json["state"] = std::string(Name(job.state));
  json["reason"] = job.reason.substr(0, kReasonBytesMax);
  json["labels"] = job.labels;
  json["output"] = job.demand.output;
  json["attempts"] = job.attempts.size();
  json["step"] = job.progress.step;
  json["total_steps"] = job.progress.total_steps;
  json["submitted"] = TimeText(job.submitted);
  if (job.started.has_value()) json["started"] = TimeText(*job.started);
  if (job.ended.has_value()) json["ended"] = TimeText(*job.ended);
  OrderedJson result = OrderedJson::object();
  for (const auto& [name, value] : job.result) {
    result[name] = std::isfinite(value) ? OrderedJson(value) : OrderedJson(nullptr);
  }
  for (const auto& [name, text] : job.result_texts) result[name] = text;
  json["result"] = std::move(result);
  return json;
}

// Slack's mrkdwn takes these three for its own.
std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

std::string SlackText(const Job& job, HookEvent event) {
  std::string text = absl::StrCat("*", Escaped(job.name), "* (", job.job_id, ")");
  if (!job.owner.empty()) absl::StrAppend(&text, " of ", Escaped(job.owner));
  absl::StrAppend(&text, ": ",
                  event == HookEvent::kBudgetBroken ? "beyond its budget" : Name(event));
  if (!job.reason.empty()) absl::StrAppend(&text, ": ", Escaped(job.reason.substr(0, 500)));
  for (const char* name : {"eval_loss", "eval_rewards/accuracies"}) {
    const auto found = job.result.find(name);
    if (found != job.result.end()) absl::StrAppend(&text, ", ", name, " ", found->second);
  }
  return text;
}

}  // namespace

std::vector<HookEvent> HookEventsOf(const Job& job) {
  switch (job.state) {
    case JobState::kSucceeded:
      if (BrokeItsBudget(job)) return {HookEvent::kSucceeded, HookEvent::kBudgetBroken};
      return {HookEvent::kSucceeded};
    case JobState::kFailed:
      return {HookEvent::kFailed};
    case JobState::kCancelled:
      return {HookEvent::kCancelled};
    case JobState::kHeld:
      return {HookEvent::kHeld};
    default:
      return {};
  }
}

bool Wants(const Hook& hook, const Job& job, HookEvent event) {
  if (hook.events.count(event) == 0) return false;
  if (!hook.owner.empty() && hook.owner != job.owner) return false;
  if (!hook.job.empty() && fnmatch(hook.job.c_str(), job.name.c_str(), 0) != 0) return false;
  if (!hook.on_request) return true;
  const auto label = job.labels.find(kNotifyLabel);
  if (label == job.labels.end()) return false;
  for (const absl::string_view name : absl::StrSplit(label->second, ',')) {
    if (name == hook.name) return true;
  }
  return false;
}

// A job is held more than once, and ends once.
std::string DeliveryIdOf(const Hook& hook, const Job& job, HookEvent event) {
  const int64_t since = event == HookEvent::kHeld ? absl::ToUnixMillis(job.state_since) : 0;
  return ToHex(Sha256Of(absl::StrCat(hook.name, "\n", job.job_id, "\n", Name(event), "\n", since)))
      .substr(0, 32);
}

std::string HookBody(const Hook& hook, const Job& job, HookEvent event) {
  OrderedJson json;
  if (hook.slack) {
    json["text"] = SlackText(job, event);
  } else {
    json["version"] = 1;
    json["delivery"] = DeliveryIdOf(hook, job, event);
    json["event"] = std::string(Name(event));
    json["time"] = TimeText(job.state_since);
    json["job"] = JobJson(job);
  }
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace fpo::coordinator
