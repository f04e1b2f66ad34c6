#include <nlohmann/json.hpp>

#include "common/job/job_file.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/session.h"

namespace fpo::ctl {
namespace {

absl::StatusOr<ExitCode> RunSchema(Session& session) {
  session.out << (session.settings().json ? nlohmann::ordered_json::parse(JobSchema()).dump()
                                          : JobSchema())
              << "\n";
  return ExitCode::kOk;
}

}  // namespace

CommandSpec SchemaCommand() {
  CommandSpec c{"schema", "run", "print the JSON Schema of job files"};
  c.details = "Editors complete and check job files with it.";
  c.examples = {{"fpoctl schema > job.schema.json", "then name it in your editor's YAML settings"}};
  c.json = {"the JSON Schema"};
  c.run = RunSchema;
  return c;
}

}  // namespace fpo::ctl
