#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/job/job_template.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "ctl/commands/commands.h"
#include "ctl/init/init_job.h"
#include "ctl/rpc/session.h"

namespace fpo::ctl {
namespace {

absl::Status WithHint(const absl::Status& status) {
  if (GetErrorInfo(status).has_value()) return status;
  return WithErrorInfo(status, {.reason = ErrorReason::kInit, .hint = "fpoctl init --help"});
}

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
                            session.environment.variables,
                            invocation.Get("baseline")};
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

}  // namespace

CommandSpec InitCommand() {
  CommandSpec c{"init", "run", "print a job file to start from"};
  c.details =
      "Keys that must be set are at the top; every other key is a comment with its default. With "
      "--model, --data or --sae the file is filled in from them: paths, layer and site, "
      "dtype, beta and alpha, each with its reason as a comment and on standard error.";
  c.arguments = {
      {"METHOD", ValueKind::kText, "fpo, dpo, sft, sae, ...; an unknown one lists them all"}};
  c.options = {
      {"model", "", ValueKind::kFile, "DIR", "the model's Hugging Face folder"},
      {"data", "", ValueKind::kFile, "FILE", "a training data file; may be repeated", true},
      {"eval", "", ValueKind::kFile, "FILE", "a file of held-out pairs; may be repeated", true},
      {"sae", "", ValueKind::kFile, "FILE", "the SAE: a file or a folder"},
      {"baseline", "", ValueKind::kFile, "FILE",
       "of judge: answers that those of --data are compared with"}};
  c.examples = {{"fpoctl init fpo > job.yaml", "start from the template of FPO"},
                {"fpoctl init dpo --model gemma --data train.jsonl > job.yaml", "filled in"},
                {"fpoctl init judge --model gemma-9b --data mine.json --baseline gpt4.json",
                 "the judge, and answers of two models"}};
  c.json = {"{method, job}"};
  c.run = RunInit;
  return c;
}

}  // namespace fpo::ctl
