#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/completion.h"
#include "client/health_client.h"
#include "common/error_info.h"
#include "common/rpc/channel.h"
#include "common/status_macros.h"
#include "common/version.h"

namespace fpo::client {
namespace {

constexpr absl::Duration kHealthTimeout = absl::Seconds(3);

struct Service {
  std::string name;
  std::string address;
  std::string status;
};

void PrintHealth(Session& session, const std::vector<Service>& services) {
  if (session.settings().quiet) return;
  Table table{{"SERVICE", "ADDRESS", "STATUS"}, {}, {}, 2};
  for (const Service& service : services) {
    if (session.settings().json) {
      const nlohmann::ordered_json json = {
          {"service", service.name}, {"address", service.address}, {"status", service.status}};
      session.out << json.dump() << "\n";
    }
    table.rows.push_back({service.name, service.address, service.status});
  }
  if (!session.settings().json) session.out << RenderTable(table, session.style());
}

}  // namespace

absl::StatusOr<ExitCode> RunHealth(Session& session) {
  const std::string wanted = session.invocation.Get("SERVICE");
  std::vector<Service> services;
  if (wanted != "cache") services.push_back({"coordinator", session.settings().server, ""});
  if (wanted != "coordinator") services.push_back({"cache", session.settings().cache_server, ""});
  std::string bad;
  for (Service& service : services) {
    const auto channel = MakeChannel(service.address, {.tls = session.settings().tls});
    if (!channel.ok()) return UsageError(channel.status().message(), "fpoctl health --help");
    service.status = CheckHealth(*channel, kHealthTimeout);
    if (service.status != "SERVING") {
      absl::StrAppend(&bad, bad.empty() ? "" : ", ", "the ", service.name, " at ", service.address,
                      " is ", service.status);
    }
  }
  PrintHealth(session, services);
  if (bad.empty()) return ExitCode::kOk;
  return WithErrorInfo(absl::UnavailableError(bad),
                       {.reason = "NOT_SERVING",
                        .hint = "start fpo-coordinator and fpo-cache, or name their addresses with "
                                "--server and --cache-server"});
}

absl::StatusOr<ExitCode> RunVersion(Session& session) {
  if (session.settings().json) {
    session.out << "{\"version\":\"" << ProgramVersion() << "\"}\n";
  } else {
    session.out << "fpoctl " << ProgramVersion() << "\n";
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunCompletion(Session& session) {
  session.out << CompletionScript(session.invocation.Get("SHELL"));
  return ExitCode::kOk;
}

}  // namespace fpo::client
