#pragma once

#include <vector>

#include "ctl/command_line/command_table.h"

namespace fpo::ctl {

// The `cache` group of the command table.
std::vector<CommandSpec> CacheCommands();

// What it runs; like commands.h.
absl::StatusOr<ExitCode> RunCacheBuild(Session& session);
absl::StatusOr<ExitCode> RunCacheList(Session& session);
absl::StatusOr<ExitCode> RunCacheInfo(Session& session);
absl::StatusOr<ExitCode> RunCacheRecipes(Session& session);
absl::StatusOr<ExitCode> RunCachePin(Session& session);
absl::StatusOr<ExitCode> RunCacheUnpin(Session& session);
absl::StatusOr<ExitCode> RunCacheVerify(Session& session);
absl::StatusOr<ExitCode> RunCacheQuarantine(Session& session);
absl::StatusOr<ExitCode> RunCacheGc(Session& session);
absl::StatusOr<ExitCode> RunCacheExport(Session& session);
absl::StatusOr<ExitCode> RunCacheImport(Session& session);
absl::StatusOr<ExitCode> RunCacheBackup(Session& session);

}  // namespace fpo::ctl
