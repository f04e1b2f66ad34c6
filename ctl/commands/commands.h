#pragma once

#include "ctl/command_line/command_table.h"

namespace fpo::ctl {

// One entry of the command table each: words, flags, help, and what it runs. A verb is in the file
// of its name; verbs of a noun (`ckpt`, `context`, `token`, `workers`) share one, `cache` and
// `features` have a folder, and small relatives share change.cc and about.cc. Data goes to the
// session's out, the rest to its err; an error is returned, not printed.

// Run.
CommandSpec SubmitCommand();
CommandSpec SweepCommand();
CommandSpec InitCommand();
CommandSpec SchemaCommand();
CommandSpec ValidateCommand();

// Look.
CommandSpec ListCommand();
CommandSpec DescribeCommand();
CommandSpec CompareCommand();
CommandSpec FeaturesCommand();
CommandSpec LogsCommand();
CommandSpec WatchCommand();
CommandSpec WaitCommand();
CommandSpec ExplainCommand();
CommandSpec QueueCommand();
CommandSpec MetricsCommand();

// Act on jobs.
CommandSpec CancelCommand();
CommandSpec HoldCommand();
CommandSpec ReleaseCommand();
CommandSpec PauseCommand();
CommandSpec ResumeCommand();
CommandSpec PriorityCommand();
CommandSpec RetryCommand();

// Results.
CommandSpec CheckpointListCommand();
CommandSpec CheckpointPinCommand();
CommandSpec CheckpointUnpinCommand();
CommandSpec CheckpointGcCommand();
CommandSpec DownloadCommand();
CommandSpec ExportCommand();

// The reference cache.
CommandSpec CacheBuildCommand();
CommandSpec CacheListCommand();
CommandSpec CacheInfoCommand();
CommandSpec CacheRecipesCommand();
CommandSpec CachePinCommand();
CommandSpec CacheUnpinCommand();
CommandSpec CacheVerifyCommand();
CommandSpec CacheQuarantineCommand();
CommandSpec CacheGcCommand();
CommandSpec CacheExportCommand();
CommandSpec CacheImportCommand();
CommandSpec CacheBackupCommand();

// Workers, access, this program.
CommandSpec WorkersListCommand();
CommandSpec WorkersDrainCommand();
CommandSpec WorkersCordonCommand();
CommandSpec WorkersUndrainCommand();
CommandSpec WorkersForgetCommand();
CommandSpec WorkersSlurmScriptCommand();
CommandSpec TokenCreateCommand();
CommandSpec TokenListCommand();
CommandSpec TokenRevokeCommand();
CommandSpec ContextListCommand();
CommandSpec ContextSetCommand();
CommandSpec ContextUseCommand();
CommandSpec ContextRemoveCommand();
CommandSpec ContextShowCommand();
CommandSpec AuditCommand();
CommandSpec BackupCommand();
CommandSpec HealthCommand();
CommandSpec CompletionCommand();
CommandSpec HelpCommand();
CommandSpec VersionCommand();

}  // namespace fpo::ctl
