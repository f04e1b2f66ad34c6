#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/rpc/channel.h"
#include "common/rpc/security/peer_address.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/health_client.h"
#include "ctl/rpc/rpc_status.h"
#include "ctl/rpc/session.h"

namespace fpo::ctl {
namespace {

constexpr absl::Duration kHealthTimeout = absl::Seconds(3);

struct Service {
  CallSite site;
  std::string status = {};
  absl::Status error = {};  // why it does not serve
};

void PrintHealth(Session& session, const std::vector<Service>& services) {
  if (session.settings().quiet && !session.settings().json) return;
  Table table{{"SERVICE", "ADDRESS", "STATUS"}, {}, {}, 2};
  for (const Service& service : services) {
    if (session.settings().json) {
      JsonObject json;
      json.Add("service", service.site.service);
      json.Add("address", service.site.address);
      json.Add("status", service.status);
      json.Add("error", std::string(service.error.message()));
      session.out << json.Text() << "\n";
    }
    table.rows.push_back({service.site.service, service.site.address, service.status});
  }
  if (!session.settings().json) session.out << RenderTable(table, session.style());
}

absl::Status Ask(Session& session, Service* service) {
  const auto channel = MakeChannel(service->site.address, {.tls = session.settings().tls});
  if (!channel.ok()) {
    return UsageError(channel.status().message(), "what is set, and where: fpoctl context show");
  }
  const Health health = CheckHealth(*channel, kHealthTimeout);
  service->status = health.status;
  service->error = CallError(health.error, service->site);
  if (health.status == "SERVING" || !service->error.ok()) return absl::OkStatus();
  service->error = WithErrorInfo(
      absl::UnavailableError(absl::StrCat("the ", service->site.service, " at ",
                                          service->site.address, " is ", health.status)),
      {.reason = ErrorReason::kNotServing,
       .hint = absl::StrCat("it is starting or stopping; try again, or see the log of ",
                            service->site.program)});
  return absl::OkStatus();
}

// Combines all problems in one error; its hint is the first one's.
absl::Status Sum(const std::vector<Service>& services) {
  std::string message;
  ErrorInfo info;
  for (const Service& service : services) {
    if (service.error.ok()) continue;
    if (message.empty()) info = GetErrorInfo(service.error).value_or(ErrorInfo());
    absl::StrAppend(&message, message.empty() ? "" : "; ", service.error.message());
  }
  if (message.empty()) return absl::OkStatus();
  info.reason = ErrorReason::kNotServing;
  return WithErrorInfo(absl::UnavailableError(message), info);
}

// Of several coordinators one leads; those that listen beside it are as they should be.
void ExcuseStandbys(std::vector<Service>* services) {
  const auto is_coordinator = [](const Service& s) { return s.site.service == "coordinator"; };
  const bool one_leads = std::any_of(services->begin(), services->end(), [&](const Service& s) {
    return is_coordinator(s) && s.status == "SERVING";
  });
  for (Service& service : *services) {
    if (!one_leads || !is_coordinator(service) || service.status != "NOT_SERVING") continue;
    service.status = "STANDBY";
    service.error = absl::OkStatus();
  }
}

absl::StatusOr<ExitCode> RunHealth(Session& session) {
  const std::string wanted = session.invocation.Get("SERVICE");
  std::vector<Service> services;
  if (wanted != "cache") {
    for (const std::string& address : SplitAddresses(session.settings().server)) {
      services.push_back({CoordinatorSite(address, session.interrupt.raised())});
    }
  }
  if (wanted != "coordinator") {
    services.push_back({CacheSite(session.settings().cache_server, session.interrupt.raised())});
  }
  for (Service& service : services) FPO_RETURN_IF_ERROR(Ask(session, &service));
  ExcuseStandbys(&services);
  PrintHealth(session, services);
  FPO_RETURN_IF_ERROR(Sum(services));
  return ExitCode::kOk;
}

}  // namespace

CommandSpec HealthCommand() {
  CommandSpec c{"health", "admin", "check whether the services are serving"};
  c.details = "Exit code 5 when one does not.";
  c.arguments = {{"SERVICE",
                  ValueKind::kChoice,
                  "coordinator or cache (default: both)",
                  false,
                  false,
                  {"coordinator", "cache"}}};
  c.examples = {{"fpoctl health", "both services"},
                {"fpoctl health coordinator -q", "for scripts: only the exit code"}};
  c.json = {"{service, address, status, error}"};
  c.run = RunHealth;
  return c;
}

}  // namespace fpo::ctl
