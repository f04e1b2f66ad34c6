#include "ctl/commands/control_commands.h"

#include "ctl/commands/commands.h"

namespace fpo::ctl {
namespace {

const ArgumentSpec kJob{"JOB", ValueKind::kJob,
                        "a job's id, the beginning of one, or a name (its newest job)"};
const ArgumentSpec kWorker{"WORKER", ValueKind::kWorker, "a worker's name (fpoctl workers list)"};
const ArgumentSpec kStep{"STEP", ValueKind::kCount, "the step of a checkpoint", true, false, {}, 1};
const OptionSpec kNote{"note", "", ValueKind::kText, "TEXT", "why, for those who look"};

using Run = absl::StatusOr<ExitCode> (*)(Session&);

CommandSpec OfJob(const char* name, const char* group, const char* summary, Run run) {
  CommandSpec c{name, group, summary};
  c.arguments = {kJob};
  c.json = {"ChangeJobResponse"};
  c.run = run;
  return c;
}

CommandSpec MetricsCommand() {
  CommandSpec c = OfJob("metrics", "look", "print a job's numbers over its steps", RunMetrics);
  c.details =
      "One column per series, one row per step; at most 2,000 steps, evenly thinned. With --plot "
      "one small chart per series.";
  c.options = {{"name", "", ValueKind::kText, "SERIES",
                "only this series, e.g. loss; may be repeated (default with --plot: a few)", true},
               {"plot", "", ValueKind::kFlag, "", "draw charts instead of a table"}};
  c.json = {"MetricsResponse"};
  c.examples = {{"fpoctl metrics j-4f2a --name loss --plot", "the loss as a chart"},
                {"fpoctl metrics j-4f2a --json", "all series"}};
  return c;
}

CommandSpec RetryCommand() {
  CommandSpec c = OfJob("retry", "act", "try an ended job again from a checkpoint", RunRetry);
  c.details =
      "Makes a new job with the same settings and output folder, which goes on from the newest "
      "checkpoint. The old job stays as it ended. For jobs that FAILED or were CANCELLED.";
  c.options = {Within({"from", "", ValueKind::kCount, "STEP",
                       "go back to the checkpoint of this step; later ones are removed"},
                      1),
               {"set", "", ValueKind::kSetting, "KEY=VALUE",
                "change one key of the job; may be repeated", true},
               {"wait", "", ValueKind::kFlag, "", "follow the new job to its end"},
               {"request-id", "", ValueKind::kText, "ID",
                "repeat an earlier retry whose answer was lost (default: a new UUID)"}};
  c.json = {"SubmitResponse", "WatchJobResponse"};
  c.examples = {{"fpoctl retry j-4f2a", "from the newest checkpoint"},
                {"fpoctl retry j-4f2a --from 400", "from an older one"},
                {"fpoctl retry j-4f2a --set retry.max_restarts=10", "with another limit"}};
  return c;
}

CommandSpec DownloadCommand() {
  CommandSpec c = OfJob("download", "results", "fetch a job's result or a checkpoint", RunDownload);
  c.details =
      "From the worker that holds it, through the coordinator: the exported model/ and the files "
      "of the run, or with one of the options a checkpoint. Each file is checked by its SHA-256. "
      "The same command again goes on where a broken or interrupted download stopped. -q prints "
      "the folder.";
  c.options = {{"best", "", ValueKind::kFlag, "", "the checkpoint with the lowest held-out loss"},
               {"latest", "", ValueKind::kFlag, "", "the newest checkpoint"},
               Within({"step", "", ValueKind::kCount, "N", "the checkpoint of this step"}, 1),
               {"to", "", ValueKind::kFile, "FOLDER",
                "where to put it (default: a folder here named after the job)"}};
  c.json = {"{folder, files}"};
  c.examples = {{"fpoctl download tiny-fpo", "the result, into ./tiny-fpo"},
                {"fpoctl download j-4f2a --best --to best", "the best checkpoint"}};
  return c;
}

CommandSpec WorkerCommand(const char* name, const char* summary, Run run) {
  CommandSpec c{name, "admin", summary};
  c.arguments = {kWorker};
  c.json = {"SetWorkerModeResponse"};
  c.run = run;
  return c;
}

}  // namespace

std::vector<CommandSpec> ExplainCommands() {
  CommandSpec explain =
      OfJob("explain", "look", "say why a job is not running, or what it does", RunExplain);
  explain.details =
      "The first reason with its numbers, then what else is known: workers and their slots, who is "
      "ahead, how earlier attempts ended, and a command that may help.";
  explain.json = {"ExplainJobResponse"};
  explain.examples = {{"fpoctl explain j-4f2a", ""}};
  CommandSpec queue{"queue", "look", "list what runs and what waits, in the order of starting"};
  queue.details =
      "START is an estimate from the pace of what runs and the time that jobs like it took; '-' "
      "where nobody can know.";
  queue.json = {"QueueResponse"};
  queue.examples = {{"fpoctl queue", "who is next, and when"}};
  queue.run = RunQueue;
  return {explain, queue, MetricsCommand()};
}

std::vector<CommandSpec> JobControlCommands() {
  CommandSpec hold = OfJob("hold", "act", "keep waiting jobs from starting", RunHold);
  hold.arguments[0].repeated = true;
  hold.examples = {{"fpoctl hold j-4f2a", "until fpoctl release"}};
  CommandSpec release = OfJob("release", "act", "let held jobs start", RunRelease);
  release.arguments[0].repeated = true;
  release.examples = {{"fpoctl release j-4f2a", "it keeps its age in the queue"}};
  CommandSpec pause =
      OfJob("pause", "act", "checkpoint running jobs and free their slots", RunPause);
  pause.details = "The job writes a checkpoint and stops. fpoctl resume queues it again.";
  pause.arguments[0].repeated = true;
  pause.examples = {{"fpoctl pause j-4f2a", "its slots are free once it is PAUSED"}};
  CommandSpec resume = OfJob("resume", "act", "queue paused jobs again", RunResume);
  resume.arguments[0].repeated = true;
  resume.examples = {{"fpoctl resume j-4f2a", "it goes on from its newest checkpoint"}};
  CommandSpec priority = OfJob("priority", "act", "change a job's priority", RunPriority);
  priority.details =
      "0 to 1000, higher runs first. A waiting job preempts running ones of lower priority: they "
      "checkpoint, stop, and queue again.";
  priority.arguments.push_back(
      {"N", ValueKind::kCount, "the new priority, 0 to 1000", true, false, {}, 0, 1000});
  priority.examples = {{"fpoctl priority j-4f2a 900", "before jobs of the default 500"}};
  return {hold, release, pause, resume, priority, RetryCommand()};
}

std::vector<CommandSpec> CheckpointCommands() {
  CommandSpec list = OfJob("ckpt list", "results", "list a job's checkpoints", RunCheckpointList);
  list.details =
      "Those that count: accepted under the epoch of the attempt that wrote them. -q prints "
      "folders.";
  list.json = {"ListCheckpointsResponse"};
  list.examples = {{"fpoctl ckpt list j-4f2a", "newest first"}};
  CommandSpec pin =
      OfJob("ckpt pin", "results", "keep a checkpoint whatever retention says", RunCheckpointPin);
  pin.arguments.push_back(kStep);
  pin.json = {"PinCheckpointResponse"};
  pin.examples = {{"fpoctl ckpt pin j-4f2a 400", ""}};
  CommandSpec unpin =
      OfJob("ckpt unpin", "results", "leave a checkpoint to retention again", RunCheckpointUnpin);
  unpin.arguments.push_back(kStep);
  unpin.json = {"PinCheckpointResponse"};
  unpin.examples = {{"fpoctl ckpt unpin j-4f2a 400", ""}};
  CommandSpec gc = OfJob("ckpt gc", "results", "remove checkpoints that retention does not want",
                         RunCheckpointGc);
  gc.details =
      "Of a job that has succeeded all but the final and pinned ones; else all but the newest "
      "keep_last, the best keep_best and pinned ones. Not while the job runs: its trainer does it "
      "then.";
  gc.options = {{"dry-run", "", ValueKind::kFlag, "", "only say what would be removed, and why"}};
  gc.json = {"GcCheckpointsResponse"};
  gc.examples = {{"fpoctl ckpt gc j-4f2a --dry-run", "look first"}};
  return {list, pin, unpin, gc, DownloadCommand()};
}

std::vector<CommandSpec> WorkerCommands() {
  CommandSpec list{"workers list", "admin", "list workers, their slots and jobs"};
  list.json = {"ListWorkersResponse"};
  list.examples = {{"fpoctl workers list", "who is there"}};
  list.run = RunWorkersList;
  CommandSpec drain =
      WorkerCommand("workers drain", "move a worker's jobs elsewhere", RunWorkersDrain);
  drain.details =
      "It takes no new jobs; running ones checkpoint, stop and queue again, uncounted. The state "
      "is kept over restarts; fpoctl workers undrain opens the worker again.";
  drain.options = {kNote};
  drain.examples = {{"fpoctl workers drain gpu-7 --note memory-errors", ""}};
  CommandSpec cordon =
      WorkerCommand("workers cordon", "give a worker no new jobs", RunWorkersCordon);
  cordon.details = "Running jobs go on.";
  cordon.options = {kNote};
  cordon.examples = {{"fpoctl workers cordon gpu-7", ""}};
  CommandSpec undrain =
      WorkerCommand("workers undrain", "open a drained or cordoned worker", RunWorkersUndrain);
  undrain.examples = {{"fpoctl workers undrain gpu-7", ""}};
  CommandSpec forget =
      WorkerCommand("workers forget", "remove a lost worker from the list", RunWorkersForget);
  forget.details =
      "For one that will not come back; with it goes that it was drained or cordoned. A worker "
      "that "
      "is connected is refused. If its agent dials in again, it is a new worker.";
  forget.examples = {{"fpoctl workers forget gpu-7", ""}};
  return {list, drain, cordon, undrain, forget};
}

std::vector<CommandSpec> AdminCommands() {
  CommandSpec audit{"audit", "admin", "list who changed what, and who was refused"};
  audit.details =
      "The newest first. Callers are known by name when the coordinator runs with --access; else "
      "by the name they gave or the address they called from. The newest 100,000 entries are kept.";
  audit.options = {{"user", "", ValueKind::kText, "NAME", "only what this caller did"},
                   {"target", "", ValueKind::kText, "ID", "only about this job or worker"},
                   {"since", "", ValueKind::kDuration, "DURATION", "only of the last e.g. 24h"},
                   {"limit", "", ValueKind::kCount, "N", "at most N, 0 for all (default: 50)"}};
  audit.examples = {{"fpoctl audit --since 24h", "the last day"},
                    {"fpoctl audit --target j-4f2a1c", "what was done to one job"}};
  audit.json = {"ListAuditResponse"};
  audit.run = RunAudit;
  CommandSpec health{"health", "admin", "ask the services whether they serve"};
  health.details = "Exit code 5 when one does not.";
  health.arguments = {{"SERVICE",
                       ValueKind::kChoice,
                       "coordinator or cache (default: both)",
                       false,
                       false,
                       {"coordinator", "cache"}}};
  health.examples = {{"fpoctl health", "both services"},
                     {"fpoctl health coordinator -q", "for scripts: the exit code alone"}};
  health.json = {"{service, address, status, error}"};
  health.run = RunHealth;
  CommandSpec help{"help", "admin", "print the help page of a command"};
  help.arguments = {
      {"COMMAND", ValueKind::kText, "one or two words; none: all commands", false, true}};
  help.examples = {{"fpoctl help submit", "the same as fpoctl submit --help"},
                   {"fpoctl help cache", "what there is of the cache"}};
  help.json = {"{command, help}"};
  help.run = RunHelp;
  CommandSpec version{"version", "admin", "print fpoctl's version"};
  version.examples = {{"fpoctl version", ""}};
  version.json = {"{version}"};
  version.run = RunVersion;
  CommandSpec completion{"completion", "admin", "print a shell's completion script"};
  completion.arguments = {
      {"SHELL", ValueKind::kChoice, "bash, zsh or fish", true, false, {"bash", "zsh", "fish"}}};
  completion.examples = {
      {"source <(fpoctl completion bash)", "for this shell; add it to ~/.bashrc to keep it"},
      {"source <(fpoctl completion zsh)", "after compinit"},
      {"fpoctl completion fish > ~/.config/fish/completions/fpoctl.fish", ""}};
  completion.json = {"{shell, script}"};
  completion.run = RunCompletion;
  return {audit, health, completion, help, version};
}

}  // namespace fpo::ctl
