#include "cache/flags.h"

#include <CLI/CLI.hpp>

#include "common/program_flags.h"
#include "common/rpc/listen_flags.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

void AddLimits(CLI::App* app, CacheConfig* config) {
  AddDuration(app, "--lease", &config->lease, "how long a silent builder keeps its claim");
  AddDuration(app, "--shutdown-grace", &config->grace, "for running calls at SIGTERM");
  AddDuration(app, "--idle", &config->idle, "cut streams whose peer is inactive for this long");
  app->add_option("--threads", config->threads, "calls in the store at once")
      ->capture_default_str();
  app->add_option("--streams-max", config->streams_max, "streams open at once")
      ->capture_default_str();
  app->add_option("--block-cache-mib", config->block_cache_mib, "memory for hot blocks, MiB")
      ->capture_default_str();
  app->add_option("--free-mib-min", config->free_mib_min,
                  "writes stop when less is free, or 5 % of the file system; 0: never")
      ->capture_default_str();
  app->add_option("--keys-in-memory-max", config->keys_in_memory_max,
                  "of manifests in use, about 100 bytes each")
      ->capture_default_str();
}

void AddUpkeep(CLI::App* app, CacheConfig* config) {
  AddDuration(app, "--keep-unused", &config->keep_unused,
              "remove manifests that were unused for this long");
  AddDuration(app, "--gc-every", &config->gc_every, "time between garbage collections");
  app->add_option("--evict-mib", config->evict_mib,
                  "above it the longest unused manifests are removed early; 0: no limit")
      ->capture_default_str();
  app->add_option("--reject-mib", config->reject_mib,
                  "above it new records are rejected; 0: no limit")
      ->capture_default_str();
  app->add_option("--scrub-mib-per-second", config->scrub_mib_per_second,
                  "how fast stored records are read again and checked; 0: never")
      ->capture_default_str();
  AddDuration(app, "--scrub-every", &config->scrub_every, "from the start of a check to the next");
  app->add_option("--backups", config->backups, "folder for the copies of fpoctl cache backup");
  app->add_option("--replica-of", config->replica_of,
                  "host:port of a cache: serve its records, fetching missing ones, and "
                  "pass all changes on to it");
  app->add_option("--token-file", config->token_file,
                  "file with a worker's token, for the cache of --replica-of");
  app->add_option("--failpoint", config->failpoints, "NAME=kill|error[@N], for tests")->group("");
}

}  // namespace

absl::StatusOr<ParsedFlags<CacheConfig>> ParseFlags(int argc, const char* const* argv) {
  ParsedFlags<CacheConfig> flags;
  CLI::App app(
      "Stores the values of frozen reference models for responses, so that each is computed once.",
      "fpo-cache");
  AddServiceFlags(&app, &flags.check_config);
  AddListenFlags(&app, &flags.config.listen, "address of /metrics, /healthz, /readyz");
  app.add_option("--data", flags.config.data, "folder of the store");
  AddLimits(&app, &flags.config);
  AddUpkeep(&app, &flags.config);
  const ProgramArguments arguments{argc, argv};
  FPO_ASSIGN_OR_RETURN(flags.text, ParseProgramFlags(&app, arguments));
  if (flags.text) return flags;
  FPO_RETURN_IF_ERROR(LocateFlagError(app, arguments, flags.config.Validate()));
  return flags;
}

}  // namespace fpo::cache
