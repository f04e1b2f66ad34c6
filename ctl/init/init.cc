#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/job/job_template.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "ctl/commands/commands.h"
#include "ctl/init/init_job.h"

namespace fpo::ctl {
namespace {

absl::Status WithHint(const absl::Status& status) {
  if (GetErrorInfo(status).has_value()) return status;
  return WithErrorInfo(status, {.reason = "INIT", .hint = "fpoctl init --help"});
}

}  // namespace

absl::StatusOr<ExitCode> RunInit(Session& session) {
  const Invocation& invocation = session.invocation;
  const std::string method = invocation.Get("METHOD");
  const absl::StatusOr<std::string> known = JobTemplate(method);
  if (!known.ok()) return UsageError(known.status().message(), "fpoctl init fpo > job.yaml");
  const InitRequest request{method,
                            invocation.Get("model"),
                            invocation.GetAll("data"),
                            invocation.GetAll("eval"),
                            invocation.Get("sae"),
                            HasGpu(),
                            session.environment.variables};
  const absl::StatusOr<std::vector<TemplateChoice>> found = ChooseForJob(request);
  if (!found.ok()) return WithHint(found.status());
  const std::vector<TemplateChoice>& choices = *found;
  FPO_ASSIGN_OR_RETURN(const std::string text, JobTemplate(method, choices));
  if (session.settings().json) {
    JsonObject json;
    json.Add("method", method);
    json.Add("job", text);
    session.out << json.Text() << "\n";
  } else {
    session.out << text;
  }
  if (session.settings().quiet) return ExitCode::kOk;
  for (const TemplateChoice& choice : choices) {
    if (choice.reason.empty()) continue;
    session.err << (choice.set ? "chose " : "found, not set: ") << choice.key << ": "
                << choice.value << "  (" << choice.reason << ")\n";
  }
  return ExitCode::kOk;
}

}  // namespace fpo::ctl
