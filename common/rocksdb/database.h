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
#include "common/store/key_values.h"

namespace fpo {

// A RocksDB folder with our options, owned by one process. Thread-safe.
//
// After a background error (full disk, failed fsync) RocksDB rejects writes for good. Health() then
// says why, reads continue, and the owner calls Recover() regularly, which closes and reopens the
// folder once there is space. Damage that prevents opening is DataLoss and is left alone, unless
// the options allow a repair: then the damaged files are moved into the folder's lost/, their
// contents are gone, and repairs() counts it.
class Database final : public KeyValues {
 public:
  static absl::StatusOr<std::unique_ptr<Database>> Open(DatabaseOptions options);
  ~Database() override;

  // Durable on return with `sync`: concurrent callers share one fsync. ResourceExhausted when the
  // disk is nearly full.
  using KeyValues::Write;
  absl::Status Write(const WriteSet& writes, bool sync) override;
  absl::Status WriteAbove(int64_t free_bytes_min, const WriteSet& writes, bool sync) override;

  // The same for large groups of Puts only, each key once: sorted files are made next to the store
  // and ingested whole, so that nothing is written twice. All or nothing, durable on return.
  // Readers may see one family's part before another's; callers must allow for that.
  absl::Status Ingest(const WriteSet& writes);

  // The same for the few bytes that a start or a decision needs: synced, and allowed to use the
  // space that Write keeps free.
  using KeyValues::WriteIntoReserve;
  absl::Status WriteIntoReserve(const WriteSet& writes, bool sync) override;

  absl::StatusOr<std::optional<std::string>> Get(int family, absl::string_view key) const override;
  // In the order of `keys`; fastest when they are sorted. Checksums are verified.
  absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(
      int family, absl::Span<const std::string> keys) const;
  // The same without copying: `found` gets a view of the value of keys[i], valid only during the
  // call. One key's error does not affect the others; the first error is returned.
  absl::Status MultiVisit(int family, absl::Span<const std::string> keys,
                          const std::function<void(size_t i, absl::string_view)>& found) const;
  absl::Status Scan(int family, absl::string_view begin, absl::string_view end,
                    const Visit& visit) const override;
  absl::Status ScanBack(int family, absl::string_view begin, absl::string_view end,
                        const Visit& visit) const override;
  absl::StatusOr<std::optional<std::pair<std::string, std::string>>> Last(
      int family, absl::string_view end) const override;
  absl::StatusOr<std::optional<std::pair<std::string, std::string>>> Last(int family) const {
    return Last(family, "");
  }

  absl::Status Health() const;  // why writes are refused
  // Reopens when unhealthy, at most every 1 to 60 s; OK when healthy.
  absl::Status Recover(absl::Time now) override;
  absl::Status CheckSpace() const override;  // ResourceExhausted with the numbers
  absl::Status CheckSpaceAbove(int64_t free_bytes_min) const override;

  // A consistent copy by hard links into a folder that does not exist yet.
  absl::Status Checkpoint(const std::string& path) const;
  // Reads every table file and compares it with the checksum stored when it was written. DataLoss
  // names the file.
  absl::Status VerifyFiles() const;
  // Opens a folder that no process has open, without changing it, and verifies its files.
  static absl::Status VerifyFolder(const DatabaseOptions& options);

  // Returns the space of deleted keys in [begin, end) to the file system. Takes minutes on a large
  // range; reads and writes continue. Aborted when the store is reopened or closed meanwhile.
  absl::Status Compact(int family, const std::string& begin, const std::string& end) override;

  // Running ones; those that begin later as well, until it is reopened.
  void EndCompactions() override;

  int64_t FreeBytes() const override;
  int64_t DiskBytes() const;  // of table files and logs
  int64_t repairs() const;    // since Open began
  // RocksDB's own numbers, summed over the families: ("block_cache_usage_bytes", 1234), ...
  std::vector<std::pair<std::string, double>> Properties() const override;
  std::string Name() const override { return path(); }
  const std::string& path() const;

 private:
  struct State;
  absl::Status Apply(const WriteSet& writes, bool sync);
  explicit Database(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fpo
