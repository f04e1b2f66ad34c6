#include <algorithm>

#include "common/status_macros.h"
#include "common/wire/wire_json.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"
#include "ctl/show/human.h"
#include "ctl/show/text_layout.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

constexpr int64_t kEntriesPageMax = 500;
constexpr int64_t kDefaultEntries = 50;

absl::StatusOr<pb::ListAuditResponse> ReadUpTo(CoordinatorClient& coordinator,
                                               pb::ListAuditRequest request, int64_t limit) {
  pb::ListAuditResponse all;
  while (limit == 0 || all.entries_size() < limit) {
    const int64_t left = limit == 0 ? kEntriesPageMax : limit - all.entries_size();
    request.set_limit(static_cast<int32_t>(std::min(left, kEntriesPageMax)));
    FPO_ASSIGN_OR_RETURN(const pb::ListAuditResponse page, coordinator.ListAudit(request));
    all.MergeFrom(page);
    if (page.entries_size() < request.limit()) break;
    request.set_before(page.entries(page.entries_size() - 1).cursor());
  }
  return all;
}

std::string OrDash(const std::string& text) { return text.empty() ? "-" : OneLine(text); }

absl::StatusOr<ExitCode> RunAudit(Session& session) {
  const Invocation& invocation = session.invocation;
  pb::ListAuditRequest request;
  request.set_who(invocation.Get("user"));
  request.set_target(invocation.Get("target"));
  if (const auto since = invocation.GetDuration("since")) {
    request.mutable_since()->set_seconds(absl::ToUnixSeconds(absl::Now() - *since));
  }
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(
      const pb::ListAuditResponse answer,
      ReadUpTo(coordinator, request, invocation.GetCount("limit", kDefaultEntries)));
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
    return ExitCode::kOk;
  }
  Table table;
  table.header = {"TIME", "WHO", "METHOD", "TARGET", "RESULT", "DETAIL"};
  table.shrinkable = {5};
  for (const pb::AuditEntry& entry : answer.entries()) {
    const absl::Time time = absl::FromUnixSeconds(entry.time().seconds());
    table.rows.push_back({LocalTime(time, session.style().zone), OrDash(entry.who()),
                          entry.method(), OrDash(entry.target()), entry.result(),
                          OrDash(entry.detail())});
  }
  session.out << RenderTable(table, session.style());
  return ExitCode::kOk;
}

}  // namespace

CommandSpec AuditCommand() {
  CommandSpec c{"audit", "admin", "list who changed what, and who was refused"};
  c.details =
      "The newest first. Callers are known by name when the coordinator runs with --access; else "
      "by the name they gave or the address they called from. The newest 100,000 entries are kept.";
  c.options = {{"user", "", ValueKind::kText, "NAME", "only what this caller did"},
               {"target", "", ValueKind::kText, "ID", "only about this job or worker"},
               {"since", "", ValueKind::kDuration, "DURATION", "only of the last e.g. 24h"},
               {"limit", "", ValueKind::kCount, "N", "at most N, 0 for all (default: 50)"}};
  c.examples = {{"fpoctl audit --since 24h", "the last day"},
                {"fpoctl audit --target j-4f2a1c", "what was done to one job"}};
  c.json = {"ListAuditResponse"};
  c.run = RunAudit;
  return c;
}

}  // namespace fpo::ctl
