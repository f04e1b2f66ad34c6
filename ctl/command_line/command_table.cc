#include "ctl/command_line/command_table.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ctl/commands/cache/cache_commands.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/control_commands.h"
#include "ctl/commands/token_commands.h"

namespace fpo::ctl {
namespace {

const ArgumentSpec kJobArgument{"JOB", ValueKind::kJob,
                                "a job's id, the beginning of one, or a name (its newest job)"};
const ArgumentSpec kJobsArgument = [] {
  ArgumentSpec jobs = kJobArgument;
  jobs.repeated = true;
  return jobs;
}();
const ArgumentSpec kFileArgument{"FILE", ValueKind::kFile,
                                 "a job file, YAML or JSON; - is standard input"};
const OptionSpec kSetOption{"set",
                            "",
                            ValueKind::kSetting,
                            "KEY=VALUE",
                            "change one key of the job file, e.g. method.beta=2; may be repeated",
                            true};

CommandSpec SubmitCommand() {
  CommandSpec c{"submit", "run", "send a job file to the coordinator"};
  c.details =
      "Reads and checks the job file, makes its relative paths absolute (relative to the folder of "
      "the job file), and stores the job at the coordinator. A submit whose answer is lost is "
      "repeated with the same request id, so a job is never stored twice. Ctrl-C during --wait "
      "leaves the job running.";
  c.arguments = {kFileArgument};
  c.options = {
      kSetOption,
      {"wait", "", ValueKind::kFlag, "", "follow the job to its end; the exit code is the job's"},
      {"dry-run", "", ValueKind::kFlag, "",
       "say where and when it would run, and what is missing; nothing is stored"},
      {"hold", "", ValueKind::kFlag, "", "let it wait until fpoctl release"},
      {"after-ok", "", ValueKind::kJob, "JOB",
       "start only after this job succeeded; may be repeated", true},
      {"after", "", ValueKind::kJob, "JOB",
       "start only after this job ended, however; may be repeated", true},
      {"label", "", ValueKind::kLabel, "NAME=VALUE",
       "the same as --set labels.NAME=VALUE; may be repeated", true},
      {"smoke", "", ValueKind::kFlag, "",
       "a short trial of the job: two steps, few pairs, NAME-smoke, its own output folder"},
      {"follow", "f", ValueKind::kFlag, "", "print its log lines to its end, as fpoctl logs -f"},
      Within({"priority", "", ValueKind::kCount, "N",
              "0 to 1000, higher runs first (resources.priority)"},
             0, 1000),
      {"name", "", ValueKind::kText, "NAME", "the same as --set name=NAME"},
      {"request-id", "", ValueKind::kText, "ID",
       "repeat an earlier submit whose answer was lost (default: a new UUID)"}};
  c.examples = {
      {"fpoctl submit job.yaml", "send it and come back at once"},
      {"fpoctl submit job.yaml --wait", "send it and watch it run"},
      {"fpoctl submit job.yaml --set method.beta=2 --set name=beta-2",
       "the same with another beta"},
      {"fpoctl submit job.yaml --smoke -f", "does it run at all? two steps, with its log"},
      {"id=$(fpoctl submit -q job.yaml)", "the id alone, for scripts"}};
  c.json = {"SubmitResponse", "ValidateResponse", "WatchJobResponse", "LogsResponse"};
  c.run = RunSubmit;
  return c;
}

CommandSpec SweepCommand() {
  CommandSpec c{"sweep", "run", "send a job file once for each combination of values"};
  c.details =
      "Runs that need the same reference records wait for one job that computes them. Each run is "
      "named after its values and writes into a folder of that name below the job's output; all "
      "carry the label sweep=ID. A sweep that was cut short goes on with the same command and its "
      "--request-id.";
  c.arguments = {kFileArgument};
  OptionSpec grid{"grid",
                  "",
                  ValueKind::kSetting,
                  "KEY=A,B,...",
                  "the values of one key; may be "
                  "repeated",
                  true};
  grid.required = true;
  c.options = {grid,
               kSetOption,
               Within({"max-parallel", "", ValueKind::kCount, "N",
                       "at most N runs at a time: each waits for the end of the one N before it"},
                      1),
               {"dry-run", "", ValueKind::kFlag, "", "list the jobs; nothing is stored"},
               {"request-id", "", ValueKind::kText, "ID",
                "repeat a sweep that was cut short (default: a new UUID)"}};
  c.examples = {{"fpoctl sweep job.yaml --grid method.beta=2,5 --grid method.alpha=0.1,0.5",
                 "four runs, one computation of the reference"},
                {"fpoctl sweep job.yaml --grid optimizer.lr=1e-7,5e-7 --max-parallel 1",
                 "one after the other"}};
  c.json = {"SubmitResponse", "{name, kind, values}"};
  c.run = RunSweep;
  return c;
}

CommandSpec InitCommand() {
  CommandSpec c{"init", "run", "print a job file to start from"};
  c.details =
      "What must be set stands at the top; every other key is a comment with its default. With "
      "--model, --data or --sae it is filled in from what is there: paths, layer and site, "
      "dtype, beta and alpha, each with its reason as a comment and on standard error.";
  c.arguments = {
      {"METHOD", ValueKind::kText, "fpo, dpo, sft, sae, ...; an unknown one lists them all"}};
  c.options = {
      {"model", "", ValueKind::kFile, "DIR", "the model's Hugging Face folder"},
      {"data", "", ValueKind::kFile, "FILE", "a training data file; may be repeated", true},
      {"eval", "", ValueKind::kFile, "FILE", "a file of held-out pairs; may be repeated", true},
      {"sae", "", ValueKind::kFile, "FILE", "the SAE: a file or a folder"}};
  c.examples = {{"fpoctl init fpo > job.yaml", "start from the template of FPO"},
                {"fpoctl init dpo --model gemma --data train.jsonl > job.yaml", "filled in"}};
  c.json = {"{method, job}"};
  c.run = RunInit;
  return c;
}

CommandSpec SchemaCommand() {
  CommandSpec c{"schema", "run", "print the JSON Schema of job files"};
  c.details = "Editors complete and check job files with it.";
  c.examples = {{"fpoctl schema > job.schema.json", "then name it in your editor's YAML settings"}};
  c.json = {"the JSON Schema"};
  c.run = RunSchema;
  return c;
}

CommandSpec ValidateCommand() {
  CommandSpec c{"validate", "run", "check job files without a server"};
  c.details =
      "Names every problem at once, each with file and line, and warns of files and folders that "
      "are not on this machine. `submit --dry-run` asks the coordinator too.";
  ArgumentSpec files = kFileArgument;
  files.help = "job files, YAML or JSON; - is standard input";
  files.repeated = true;
  c.arguments = {files};
  c.options = {kSetOption,
               {"strict-files", "", ValueKind::kFlag, "",
                "a file or folder that is not on this machine is an error, not a warning"}};
  c.examples = {
      {"fpoctl validate job.yaml", "exit code 0 when it is valid, 3 when not"},
      {"fpoctl validate job.yaml --json", "the effective job with every default filled in"}};
  c.json = {"the effective job"};
  c.run = RunValidate;
  return c;
}

CommandSpec ListCommand() {
  CommandSpec c{"list", "look", "list jobs, the newest first"};
  c.options = {{"state",
                "",
                ValueKind::kChoice,
                "STATE",
                "only jobs in this state; may be repeated",
                true,
                {"QUEUED", "HELD", "RESERVED", "STARTING", "RUNNING", "RECOVERING", "PAUSING",
                 "PAUSED", "PREEMPTING", "CANCELLING", "SUCCEEDED", "FAILED", "CANCELLED"}},
               {"owner", "", ValueKind::kText, "USER", "only this user's jobs"},
               {"label", "", ValueKind::kLabel, "NAME=VALUE",
                "only jobs with this label; may be repeated", true},
               {"limit", "", ValueKind::kCount, "N", "at most N jobs, 0 for all (default: 100)"}};
  c.examples = {{"fpoctl list", "all users' newest jobs"},
                {"fpoctl list --state RUNNING --state QUEUED", "what runs and what waits"},
                {"fpoctl list -q --state FAILED", "ids alone, for scripts"}};
  c.json = {"ListJobsResponse"};
  c.run = RunList;
  return c;
}

CommandSpec DescribeCommand() {
  CommandSpec c{"describe", "look", "show everything about one job"};
  c.details =
      "State, attempts and why each ended, cache use, result metrics, output folder, last error.";
  c.arguments = {kJobArgument};
  c.examples = {{"fpoctl describe j-4f2a", "by the beginning of its id"},
                {"fpoctl describe tiny-fpo --json", "the newest job of that name, as JSON"}};
  c.json = {"GetJobResponse"};
  c.run = RunDescribe;
  return c;
}

CommandSpec CompareCommand() {
  CommandSpec c{"compare", "look", "put the results of several jobs side by side"};
  c.details =
      "Held-out accuracy, reward margin, entropy and divergence, reference records found in the "
      "cache, forward passes of the reference, times and peak memory.";
  ArgumentSpec jobs = kJobsArgument;
  jobs.required = false;
  c.arguments = {jobs};
  c.options = {{"label", "", ValueKind::kLabel, "NAME=VALUE",
                "the jobs with this label, e.g. sweep=ID; may be repeated: with all of them",
                true}};
  c.examples = {{"fpoctl compare tiny-dpo tiny-fpo", "two runs by name"},
                {"fpoctl compare --label sweep=5f0c2a9e", "the runs of a sweep"}};
  c.json = {"GetJobResponse"};
  c.run = RunCompare;
  return c;
}

CommandSpec LogsCommand() {
  CommandSpec c{"logs", "look", "print a job's log lines"};
  c.details =
      "Each line is: time, attempt/rank, text; with -q the text alone. Lines arrive once and in "
      "order, also over lost connections. With -f the exit code is the job's.";
  c.arguments = {kJobArgument};
  c.options = {{"follow", "f", ValueKind::kFlag, "", "wait for more until the job has ended"},
               Within({"attempt", "", ValueKind::kCount, "N", "only this attempt"}, 1),
               {"rank", "", ValueKind::kCount, "N", "only this rank"},
               {"since", "", ValueKind::kDuration, "DURATION", "only lines of the last e.g. 10m"},
               Within({"tail", "", ValueKind::kCount, "N", "start with the last N lines"}, 1)};
  c.examples = {{"fpoctl logs j-4f2a --tail 50", "the last 50 lines"},
                {"fpoctl logs -f tiny-fpo", "follow to the end"}};
  c.json = {"LogsResponse"};
  c.run = RunLogs;
  return c;
}

CommandSpec WatchCommand() {
  CommandSpec c{"watch", "look", "follow a job's progress to its end"};
  c.details =
      "On a terminal one block that is redrawn; on a pipe one line per state or phase change and "
      "at most one progress line in 30 s. A lost connection is taken up again for 60 s. Ctrl-C "
      "only stops watching.";
  c.arguments = {kJobArgument};
  c.examples = {{"fpoctl watch j-4f2a", "live progress; the exit code is the job's"},
                {"fpoctl watch j-4f2a --json", "every change as one JSON object a line"}};
  c.json = {"WatchJobResponse"};
  c.run = RunWatch;
  return c;
}

CommandSpec WaitCommand() {
  CommandSpec c{"wait", "look", "wait for the end of jobs"};
  c.details =
      "Exit code: 0 SUCCEEDED, 10 FAILED, 11 CANCELLED, 12 still running at --timeout; of several "
      "jobs the first that is not 0.";
  c.arguments = {kJobsArgument};
  c.options = {
      {"timeout", "", ValueKind::kDuration, "DURATION", "give up after this long, e.g. 90s or 2h"}};
  c.examples = {{"fpoctl wait j-4f2a --timeout 2h && ./publish.sh", "go on only after success"},
                {"fpoctl wait beta-1 beta-2", "until both have ended"}};
  c.json = {"WatchJobResponse"};
  c.run = RunWait;
  return c;
}

CommandSpec CancelCommand() {
  CommandSpec c{"cancel", "act", "end jobs"};
  c.details =
      "A running job gets 30 s to stop, or what the coordinator's --cancel-grace says. Its output "
      "so far stays where it is.";
  c.arguments = {kJobsArgument};
  c.options = {{"now", "", ValueKind::kFlag, "", "kill its processes at once"},
               {"grace", "", ValueKind::kDuration, "DURATION",
                "kill its processes only after this long, up to 1h"}};
  c.examples = {{"fpoctl cancel j-4f2a", "let it stop in order"},
                {"fpoctl cancel j-4f2a --now", "kill it"},
                {"fpoctl cancel beta-1 beta-2",
                 "both; fpoctl list -q --label sweep=ID | xargs fpoctl cancel"}};
  c.json = {"CancelJobResponse"};
  c.run = RunCancel;
  return c;
}

std::vector<CommandSpec> MakeCommands() {
  std::vector<CommandSpec> commands = {SubmitCommand(),   SweepCommand(),    InitCommand(),
                                       SchemaCommand(),   ValidateCommand(), ListCommand(),
                                       DescribeCommand(), CompareCommand(),  LogsCommand(),
                                       WatchCommand(),    WaitCommand(),     CancelCommand()};
  const auto append = [&commands](std::vector<CommandSpec> more) {
    for (CommandSpec& c : more) commands.push_back(std::move(c));
  };
  append(ExplainCommands());
  append(JobControlCommands());
  append(CheckpointCommands());
  append(CacheCommands());
  append(WorkerCommands());
  append(TokenCommands());
  append(ContextCommands());
  append(AdminCommands());
  // The overview shows one group after the other.
  const std::vector<std::string> groups = {"run", "look", "act", "results", "cache", "admin"};
  std::stable_sort(commands.begin(), commands.end(),
                   [&groups](const CommandSpec& a, const CommandSpec& b) {
                     return std::find(groups.begin(), groups.end(), a.group) <
                            std::find(groups.begin(), groups.end(), b.group);
                   });
  return commands;
}

}  // namespace

const std::vector<CommandSpec>& Commands() {
  static const std::vector<CommandSpec> commands = MakeCommands();
  return commands;
}

const std::vector<OptionSpec>& SharedOptions() {
  static const std::vector<OptionSpec> options = {
      {"server",
       "",
       ValueKind::kAddress,
       "HOST:PORT",
       "the coordinator (environment: FPO_SERVER; default 127.0.0.1:7070)",
       false,
       {},
       false,
       "coordinator"},
      {"cache-server",
       "",
       ValueKind::kAddress,
       "HOST:PORT",
       "the reference cache (environment: FPO_CACHE_SERVER; default 127.0.0.1:7080)",
       false,
       {},
       false,
       "cache"},
      {"token-file", "", ValueKind::kFile, "FILE",
       "file with the token that says who you are (environment: FPO_TOKEN_FILE)"},
      {"tls-ca", "", ValueKind::kFile, "FILE",
       "use TLS and trust this CA (environment: FPO_TLS_CA)"},
      {"tls-cert", "", ValueKind::kFile, "FILE",
       "show this client certificate (environment: FPO_TLS_CERT)"},
      {"tls-key", "", ValueKind::kFile, "FILE", "its private key (environment: FPO_TLS_KEY)"},
      {"context", "", ValueKind::kContext, "NAME",
       "use this context (environment: FPO_CONTEXT; fpoctl context list)"},
      {"json", "", ValueKind::kFlag, "", "print answers and errors as JSON, one object a line"},
      {"quiet", "q", ValueKind::kFlag, "", "print ids alone"},
      {"version", "", ValueKind::kFlag, "", "print fpoctl's version"},
      {"help", "h", ValueKind::kFlag, "", "print this page"},
  };
  return options;
}

OptionSpec Within(OptionSpec option, int64_t least, int64_t most) {
  option.least = least;
  option.most = most;
  return option;
}

std::vector<const CommandSpec*> CommandsOfGroup(absl::string_view word) {
  std::vector<const CommandSpec*> commands;
  for (const CommandSpec& command : Commands()) {
    if (absl::StartsWith(command.name, absl::StrCat(word, " "))) commands.push_back(&command);
  }
  return commands;
}

const CommandSpec* FindCommand(absl::string_view name) {
  for (const CommandSpec& command : Commands()) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

}  // namespace fpo::ctl
