#include "ctl/command_line/command_table.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ctl/commands/commands.h"

namespace fpo::ctl {
namespace {

// In the order of the overview.
std::vector<CommandSpec> MakeCommands() {
  return {
      SubmitCommand(),
      SweepCommand(),
      InitCommand(),
      SchemaCommand(),
      ValidateCommand(),
      ListCommand(),
      DescribeCommand(),
      CompareCommand(),
      FeaturesCommand(),
      LogsCommand(),
      WatchCommand(),
      WaitCommand(),
      ExplainCommand(),
      QueueCommand(),
      MetricsCommand(),
      CancelCommand(),
      HoldCommand(),
      ReleaseCommand(),
      PauseCommand(),
      ResumeCommand(),
      PriorityCommand(),
      RetryCommand(),
      CheckpointListCommand(),
      CheckpointPinCommand(),
      CheckpointUnpinCommand(),
      CheckpointGcCommand(),
      DownloadCommand(),
      ExportCommand(),
      CacheBuildCommand(),
      CacheListCommand(),
      CacheInfoCommand(),
      CacheRecipesCommand(),
      CachePinCommand(),
      CacheUnpinCommand(),
      CacheVerifyCommand(),
      CacheQuarantineCommand(),
      CacheGcCommand(),
      CacheExportCommand(),
      CacheImportCommand(),
      CacheBackupCommand(),
      WorkersListCommand(),
      WorkersDrainCommand(),
      WorkersCordonCommand(),
      WorkersUndrainCommand(),
      WorkersForgetCommand(),
      WorkersSlurmScriptCommand(),
      TokenCreateCommand(),
      TokenListCommand(),
      TokenRevokeCommand(),
      ContextListCommand(),
      ContextSetCommand(),
      ContextUseCommand(),
      ContextRemoveCommand(),
      ContextShowCommand(),
      AuditCommand(),
      BackupCommand(),
      HealthCommand(),
      CompletionCommand(),
      HelpCommand(),
      VersionCommand(),
  };
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
       "file with the token that identifies you (environment: FPO_TOKEN_FILE)"},
      {"tls-ca", "", ValueKind::kFile, "FILE",
       "use TLS and trust this CA (environment: FPO_TLS_CA)"},
      {"tls-cert", "", ValueKind::kFile, "FILE",
       "show this client certificate (environment: FPO_TLS_CERT)"},
      {"tls-key", "", ValueKind::kFile, "FILE", "its private key (environment: FPO_TLS_KEY)"},
      {"context", "", ValueKind::kContext, "NAME",
       "use this context (environment: FPO_CONTEXT; fpoctl context list)"},
      {"json", "", ValueKind::kFlag, "", "print results and errors as JSON, one object per line"},
      {"quiet", "q", ValueKind::kFlag, "", "print only ids"},
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
