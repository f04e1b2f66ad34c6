#include "common/rocksdb/rocksdb_options.h"

#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/sst_partitioner.h>
#include <rocksdb/table.h>

#include <cstdarg>
#include <cstdio>
#include <string>

#include "common/files/open_files.h"
#include "common/observe/log.h"
#include "common/rocksdb/file_checksum.h"

namespace fpo {
namespace {

constexpr int64_t kBackgroundBytesPerSecond = 256 << 20;
constexpr int64_t kFewOpenFiles = 4096;  // below: said at every start

// RocksDB's own messages, from warnings on, as lines of the program's log. RocksDB's log file is
// not used: once the disk is full and a line cannot be written, the next line fails an assertion in
// WritableFileWriter (7.8.3 as Debian builds it) and ends the program.
class ProgramLog final : public rocksdb::Logger {
 public:
  ProgramLog() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    char text[1024];
    const int length = std::vsnprintf(text, sizeof(text), format, arguments);
    if (length > 0) Log(LogLevel::kWarning, "rocksdb", {{"text", text}});
  }
};

}  // namespace

rocksdb::DBOptions MakeDbOptions(const DatabaseOptions& database) {
  rocksdb::DBOptions options;
  if (database.env != nullptr) options.env = database.env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  options.file_checksum_gen_factory = MakeFileChecksumFactory();
  options.track_and_verify_wals_in_manifest = true;
  // Its own resume loop is unreliable (rocksdb #8217, #9762): the owner reopens instead.
  options.max_bgerror_resume_count = 0;
  // Flush and compaction share one budget, so that a synced write does not wait behind them.
  options.rate_limiter.reset(rocksdb::NewGenericRateLimiter(kBackgroundBytesPerSecond, 100'000, 10,
                                                            rocksdb::RateLimiter::Mode::kWritesOnly,
                                                            /*auto_tuned=*/true));
  options.bytes_per_sync = 1 << 20;
  options.wal_bytes_per_sync = 1 << 20;
  options.max_background_jobs = 3;  // one flush, two compactions: a long one and a short one
  options.max_total_wal_size = 256 << 20;
  // Of all families together: each alone would fill its own 64 MiB before it writes them out.
  options.db_write_buffer_size = static_cast<size_t>(database.write_buffer_bytes);
  const int64_t open_files = RaiseOpenFilesLimit();
  options.max_open_files = MaxOpenTables(open_files);
  if (open_files < kFewOpenFiles) {
    Log(LogLevel::kWarning, "few files may be open: a large store is read slowly; raise ulimit -n",
        {{"limit", std::to_string(open_files)}, {"path", database.path}});
  }
  options.info_log = std::make_shared<ProgramLog>();
  return options;
}

rocksdb::ColumnFamilyOptions MakeFamilyOptions(const FamilyOptions& family,
                                               const std::shared_ptr<rocksdb::Cache>& block_cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = block_cache;
  table.checksum = rocksdb::kXXH3;  // its CRC32C is computed without the processor's instruction
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  rocksdb::ColumnFamilyOptions options;
  options.level_compaction_dynamic_level_bytes = true;
  // By default each family takes memory by the MiB: a dozen of them are then more than a small
  // db_write_buffer_size, and every few writes become a file of some kilobytes, for ever.
  options.arena_block_size = 64 << 10;
  options.compression = rocksdb::kNoCompression;
  switch (family.profile) {
    case FamilyProfile::kSmall:
      break;
    case FamilyProfile::kBulk:
      // About one record a block: a data set reads its records in an order that is random here,
      // and would read every block's other records in vain.
      table.block_size = 4 << 10;
      table.index_block_restart_interval = 16;  // keeps the larger index small
      options.target_file_size_base = 128 << 20;
      break;
    case FamilyProfile::kText:
      options.compression = rocksdb::kLZ4Compression;
      break;
  }
  if (family.partition_prefix_bytes > 0) {
    options.sst_partitioner_factory =
        rocksdb::NewSstPartitionerFixedPrefixFactory(family.partition_prefix_bytes);
    // An upload is ingested as sorted files of one prefix each, with keys in random order, and each
    // compaction rewrites the level below: fewer are better, and a filter saves a reader most of
    // the files that lack its key.
    options.level0_file_num_compaction_trigger = 24;
    options.level0_slowdown_writes_trigger = 96;
    options.level0_stop_writes_trigger = 128;
  }
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace fpo
