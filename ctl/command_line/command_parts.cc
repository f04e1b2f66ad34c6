#include "ctl/command_line/command_parts.h"

namespace fpo::ctl {

ArgumentSpec JobArgument() {
  return {"JOB", ValueKind::kJob, "a job's id, the beginning of one, or a name (its newest job)"};
}

ArgumentSpec JobsArgument() {
  ArgumentSpec jobs = JobArgument();
  jobs.repeated = true;
  return jobs;
}

ArgumentSpec JobFileArgument() {
  return {"FILE", ValueKind::kFile, "a job file, YAML or JSON; - is standard input"};
}

ArgumentSpec ManifestArgument(bool required) {
  return {"MANIFEST", ValueKind::kManifest, "a manifest id or the beginning of one", required};
}

OptionSpec SetOption() {
  return {"set",
          "",
          ValueKind::kSetting,
          "KEY=VALUE",
          "change one key of the job file, e.g. method.beta=2; may be repeated",
          true};
}

CommandSpec JobCommand(const char* name, const char* group, const char* summary,
                       CommandSpec::Run run) {
  CommandSpec c{name, group, summary};
  c.arguments = {JobArgument()};
  c.json = {"ChangeJobResponse"};
  c.run = run;
  return c;
}

}  // namespace fpo::ctl
