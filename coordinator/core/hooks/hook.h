#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/values/enum_names.h"
#include "coordinator/core/jobs/job.h"

// Where the operator wants to hear of jobs: `fpo-coordinator --webhooks FILE`.
namespace fpo::coordinator {

enum class HookEvent {
  kSucceeded,
  kFailed,
  kCancelled,
  kHeld,
  kBudgetBroken,  // a run that succeeded, beyond its constraint.budget or sets
};

}  // namespace fpo::coordinator

namespace fpo {

template <>
struct EnumNames<coordinator::HookEvent> {
  static constexpr absl::string_view kNames[] = {"succeeded", "failed", "cancelled", "held",
                                                 "budget_broken"};
};

}  // namespace fpo

namespace fpo::coordinator {

struct Hook {
  std::string name;            // [a-z0-9-]{1,32}
  std::string url;             // may hold a key: never in a log
  std::string secret;          // signs what is sent; empty: it is not signed
  std::set<HookEvent> events;  // that it hears of
  std::string owner;           // of the jobs; empty: anybody's
  std::string job;             // pattern of their names, as of a shell; empty: all
  bool slack = false;          // sends Slack's form in place of the whole
  bool on_request = false;     // only jobs whose label "notify" has the hook's name
};

struct HookSettings {
  std::vector<Hook> hooks;
  std::string ca_file;  // PEM; empty: the system's authorities
};

// What there is to tell of the job as it is: none while it runs.
std::vector<HookEvent> HookEventsOf(const Job& job);
bool Wants(const Hook& hook, const Job& job, HookEvent event);
// The same whenever the same is told again, so that a receiver can drop repetitions.
std::string DeliveryIdOf(const Hook& hook, const Job& job, HookEvent event);
// One line of JSON.
std::string HookBody(const Hook& hook, const Job& job, HookEvent event);

}  // namespace fpo::coordinator
