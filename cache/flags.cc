#include "cache/flags.h"

#include <unistd.h>

#include "common/flags/program_flags.h"
#include "common/rpc/listen_flags.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

void AddLimits(FlagSet app, CacheConfig* config) {
  app.AddDuration("--lease", &config->lease, "how long a silent builder keeps its claim");
  app.AddDuration("--shutdown-grace", &config->grace, "for running calls at SIGTERM");
  app.AddDuration("--idle", &config->idle, "cut streams whose peer is inactive for this long");
  app.Add("--threads", &config->threads, "calls in the store at once").ShowDefault();
  app.Add("--streams-max", &config->streams_max, "streams open at once").ShowDefault();
  app.Add("--block-cache-mib", &config->block_cache_mib, "memory for hot blocks, MiB")
      .ShowDefault();
  app.Add("--free-mib-min", &config->free_mib_min,
          "writes stop when less is free, or 5 % of the file system; 0: never")
      .ShowDefault();
  app.Add("--keys-in-memory-max", &config->keys_in_memory_max,
          "of manifests in use, about 100 bytes each")
      .ShowDefault();
}

void AddUpkeep(FlagSet app, CacheConfig* config) {
  app.AddDuration("--keep-unused", &config->keep_unused,
                  "remove manifests that were unused for this long");
  app.AddDuration("--gc-every", &config->gc_every, "time between garbage collections");
  app.Add("--evict-mib", &config->evict_mib,
          "above it the longest unused manifests are removed early; 0: no limit")
      .ShowDefault();
  app.Add("--reject-mib", &config->reject_mib, "above it new records are rejected; 0: no limit")
      .ShowDefault();
  app.Add("--scrub-mib-per-second", &config->scrub_mib_per_second,
          "how fast stored records are read again and checked; 0: never")
      .ShowDefault();
  app.AddDuration("--scrub-every", &config->scrub_every, "from the start of a check to the next");
  app.Add("--backups", &config->backups, "folder for the copies of fpoctl cache backup");
  app.Add("--replica-of", &config->replica_of,
          "host:port of a cache: serve its records, fetching missing ones, and "
          "pass all changes on to it");
  app.Add("--token-file", &config->token_file,
          "file with a worker's token, for the cache of --replica-of");
  app.Add("--bucket", &config->bucket,
          "s3://BUCKET/PREFIX: complete public manifests are copied there, and what is missing is "
          "looked for there; credentials: the AWS_ variables");
  app.AddDuration("--bucket-wait", &config->bucket_wait,
                  "how long a registration waits for records from the bucket");
  app.Add("--failpoint", &config->failpoints, "NAME=kill|error[@N], for tests").Hidden();
}

}  // namespace

absl::StatusOr<ParsedFlags<CacheConfig>> ParseFlags(int argc, const char* const* argv) {
  ParsedFlags<CacheConfig> flags;
  ProgramFlags program(
      "fpo-cache",
      "Stores the values of frozen reference models for responses, so that each is computed once.");
  FlagSet app = program.flags();
  program.AddServiceFlags(&flags.check_config);
  AddListenFlags(app, &flags.config.listen, "address of /metrics, /healthz, /readyz");
  app.Add("--data", &flags.config.data, "folder of the store");
  AddLimits(app, &flags.config);
  AddUpkeep(app, &flags.config);
  FPO_ASSIGN_OR_RETURN(flags.text, program.Parse({argc, argv}));
  if (flags.text) return flags;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    flags.config.environment.push_back(*entry);
  }
  FPO_RETURN_IF_ERROR(program.Locate(flags.config.Validate()));
  return flags;
}

}  // namespace fpo::cache
