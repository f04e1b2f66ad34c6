#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/rocksdb/database_options.h"

namespace fpo {

// One atomic group of writes. Families by position in DatabaseOptions::families.
class WriteSet {
 public:
  WriteSet();
  ~WriteSet();
  WriteSet(WriteSet&&) noexcept;
  WriteSet& operator=(WriteSet&&) noexcept;

  void Put(int family, std::string key, std::string value);
  void Delete(int family, absl::string_view key);
  void DeleteRange(int family, absl::string_view begin, absl::string_view end);  // end exclusive
  bool empty() const { return ops_.empty(); }
  size_t bytes() const;  // of keys and values
  void Clear() { ops_.clear(); }

 private:
  friend class Database;
  enum class Kind { kPut, kDelete, kDeleteRange };
  struct Op {
    Kind kind;
    int family;
    std::string key;
    std::string value;  // kDeleteRange: the end
  };
  std::vector<Op> ops_;
};

// A RocksDB folder with our options. One process owns a folder. Thread-safe.
//
// After a background error (full disk, failed fsync) RocksDB refuses writes for good. Health() then
// says why, reads go on, and the owner calls Recover() regularly, which closes and opens the folder
// again once there is space. Damage that keeps the folder from opening is DataLoss and stays as it
// is, unless the options allow a repair: then the damaged files are moved into the folder's lost/,
// what they held is absent, and repairs() counts it.
class Database {
 public:
  static absl::StatusOr<std::unique_ptr<Database>> Open(DatabaseOptions options);
  ~Database();

  // Durable when it returns with `sync`: concurrent callers share one fsync. ResourceExhausted when
  // the disk is nearly full.
  absl::Status Write(const WriteSet& writes, bool sync = true);

  // The same for much at once, of Puts alone, each key once: sorted files are made beside the store
  // and taken in whole, so that nothing is written twice. All or nothing, durable when it returns.
  // Readers may see one family's part before another's: the caller keeps them apart.
  absl::Status Ingest(const WriteSet& writes);

  // The same for the few bytes that a start or a decision needs: synced, and also when only the
  // space that Write keeps free is left.
  absl::Status WriteIntoReserve(const WriteSet& writes);

  // Nothing when absent.
  absl::StatusOr<std::optional<std::string>> Get(int family, absl::string_view key) const;
  // In the order of `keys`; quickest when they are sorted. Checksums are verified.
  absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(
      int family, absl::Span<const std::string> keys) const;
  // The same without copying: `found` sees the value of keys[i], which is gone when it returns. One
  // key's error does not hide the others; the first error is returned.
  absl::Status MultiVisit(int family, absl::Span<const std::string> keys,
                          const std::function<void(size_t i, absl::string_view)>& found) const;
  // Keys in [begin, end) in order until `visit` returns false; an empty end means the last key.
  // `visit` must not call Write.
  absl::Status Scan(
      int family, absl::string_view begin, absl::string_view end,
      const std::function<bool(absl::string_view key, absl::string_view value)>& visit) const;
  // The last key below `end` (empty: of all) with its value.
  absl::StatusOr<std::optional<std::pair<std::string, std::string>>> Last(
      int family, absl::string_view end = "") const;

  absl::Status Health() const;  // why writes are refused
  absl::Status Recover(
      absl::Time now);  // reopens when unhealthy, at most every 1 to 60 s; OK when healthy
  absl::Status CheckSpace() const;  // ResourceExhausted with the numbers

  // A consistent copy by hard links into a folder that does not exist yet.
  absl::Status Checkpoint(const std::string& path) const;
  // Reads every table file and compares it with the checksum that was kept when it was written.
  // DataLoss names the file.
  absl::Status VerifyFiles() const;
  // Opens a folder that nobody has open, without changing it, and verifies its files.
  static absl::Status VerifyFolder(const DatabaseOptions& options);

  // Gives the space of deleted keys in [begin, end) back to the file system. Takes minutes on a
  // large range; reads and writes go on.
  absl::Status Compact(int family, const std::string& begin, const std::string& end);

  int64_t FreeBytes() const;
  int64_t DiskBytes() const;  // of table files and logs
  int64_t repairs() const;    // since Open began
  // RocksDB's own numbers, summed over the families: ("block_cache_usage_bytes", 1234), ...
  std::vector<std::pair<std::string, double>> Properties() const;
  const std::string& path() const;

 private:
  struct State;
  absl::Status Apply(const WriteSet& writes, bool sync);
  explicit Database(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The smallest string above every string with this prefix, as the end of a Scan; empty when there
// is none.
std::string PrefixEnd(absl::string_view prefix);

}  // namespace fpo
