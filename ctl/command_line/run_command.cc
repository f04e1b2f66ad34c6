#include "ctl/command_line/run_command.h"

#include "common/error_info.h"
#include "ctl/command_line/command_table.h"
#include "ctl/command_line/error_report.h"
#include "ctl/command_line/exit_code.h"

namespace fpo::ctl {
namespace {

int Fail(const absl::Status& error, bool json, std::ostream& err) {
  err << ErrorReport(error, json) << std::flush;
  return static_cast<int>(ExitCodeOf(error));
}

absl::Status OutputLost() {
  return WithErrorInfo(
      absl::DataLossError("standard output could not be written"),
      {.reason = ErrorReason::kOutputLost,
       .hint = "is the disk full, or has its reader exited? df -h shows the space"});
}

}  // namespace

int RunCommandLine(const std::vector<std::string>& args, const RunContext& context) {
  const ParsedLine line = ParseCommandLine(args, context.environment);
  if (line.help) {
    context.out << *line.help << std::flush;
    return static_cast<int>(ExitCode::kOk);
  }
  if (!line.invocation) return Fail(line.error, line.json, context.err);
  Session session{*line.invocation, context.environment, context.out,
                  context.err,      context.interrupt,   context.times};
  const absl::StatusOr<ExitCode> code = line.invocation->command->run(session);
  if (!code.ok()) return Fail(WithUsefulHint(code.status(), args), line.json, context.err);
  context.out << std::flush;
  if (!context.out) {
    return Fail(OutputLost(), line.json, context.err);
  }
  return static_cast<int>(*code);
}

}  // namespace fpo::ctl
