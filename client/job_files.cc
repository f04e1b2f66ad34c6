#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/error_report.h"
#include "client/job_source.h"
#include "common/job_file.h"
#include "common/json.h"
#include "common/status_macros.h"

namespace fpo::client {

absl::StatusOr<ExitCode> RunSchema(Session& session) {
  session.out << (session.settings().json ? nlohmann::ordered_json::parse(JobSchema()).dump()
                                          : JobSchema())
              << "\n";
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunInit(Session& session) {
  const absl::StatusOr<std::string> example = ExampleJob(session.invocation.Get("METHOD"));
  if (!example.ok()) return UsageError(example.status().message(), "fpoctl init fpo > job.yaml");
  if (session.settings().json) {
    JsonObject json;
    json.Add("method", session.invocation.Get("METHOD"));
    json.Add("job", *example);
    session.out << json.Text() << "\n";
    return ExitCode::kOk;
  }
  session.out << *example;
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunValidate(Session& session) {
  const Invocation& invocation = session.invocation;
  const std::string file = invocation.Get("FILE");
  FPO_ASSIGN_OR_RETURN(const JobConfig config, LoadJob(file, invocation.GetAll("set")));
  for (const std::string& warning : JobWarnings(config)) {
    if (session.settings().quiet) break;
    session.err << WarningReport(warning, session.settings().json);
  }
  if (session.settings().json) {
    session.out << WriteJobJson(config) << "\n";
  } else if (!session.settings().quiet) {
    const std::string what =
        config.kind == "train" ? absl::StrCat("train, ", config.method.name) : config.kind;
    session.out << file << ": valid (" << what << ")\n";
  }
  return ExitCode::kOk;
}

}  // namespace fpo::client
