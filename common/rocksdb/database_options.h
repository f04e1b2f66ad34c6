#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rocksdb {
class Env;
}

namespace fpo {

// How a column family is laid out on disk.
enum class FamilyProfile {
  kSmall,  // small values, read by key
  kBulk,   // incompressible values of kilobytes under digests: no compression, 4 KiB blocks, bloom
  kText,   // logs and events read in ranges: LZ4
};

struct FamilyOptions {
  std::string name;
  FamilyProfile profile = FamilyProfile::kSmall;
  int partition_prefix_bytes =
      0;  // > 0: no file spans two prefixes, so that a prefix is dropped cheaply
};

struct DatabaseOptions {
  std::string path;  // created when absent
  // "default" is added when missing; positions are the family numbers below.
  std::vector<FamilyOptions> families = {};
  int64_t block_cache_bytes = 64 << 20;
  int64_t write_buffer_bytes = 64 << 20;  // of all families together, before they are written out
  // Writes are rejected below max(free_bytes_min, free_fraction_min of the file system): RocksDB
  // needs room to compact.
  int64_t free_bytes_min = int64_t{2} << 30;
  double free_fraction_min = 0.05;
  rocksdb::Env* env = nullptr;  // another file system, for tests; not owned
  // Moves damaged files aside before opening. Their contents are lost, and older values of a key
  // may reappear.
  bool repair = false;
  // Does so whenever damage prevents opening: for a store whose contents can be recomputed.
  // Otherwise Open returns DataLoss and changes nothing.
  bool repair_when_damaged = false;
  // Damage within the write-ahead log that hides synced writes behind it prevents opening, as
  // damage of a table does. Otherwise these writes are lost.
  bool damaged_log_is_loss = false;
  bool read_only = false;  // for a folder that no process has open; nothing in it changes
};

}  // namespace fpo
