#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fpo {

// One atomic group of writes. A family is a space of keys; the store's owner numbers them from 0.
class WriteSet {
 public:
  enum class Kind { kPut, kDelete, kDeleteRange };
  struct Op {
    Kind kind;
    int family;
    std::string key;
    std::string value;  // kDeleteRange: the end
  };

  void Put(int family, std::string key, std::string value) {
    ops_.push_back({Kind::kPut, family, std::move(key), std::move(value)});
  }
  void Delete(int family, absl::string_view key) {
    ops_.push_back({Kind::kDelete, family, std::string(key), ""});
  }
  void DeleteRange(int family, absl::string_view begin, absl::string_view end) {  // end exclusive
    ops_.push_back({Kind::kDeleteRange, family, std::string(begin), std::string(end)});
  }
  bool empty() const { return ops_.empty(); }
  const std::vector<Op>& ops() const { return ops_; }
  size_t bytes() const {  // of keys and values
    size_t sum = 0;
    for (const Op& op : ops_) sum += op.key.size() + op.value.size();
    return sum;
  }
  void Clear() { ops_.clear(); }

 private:
  std::vector<Op> ops_;
};

// Sorted keys with values, in families, durable. Keys are ordered by their bytes. Thread-safe.
class KeyValues {
 public:
  virtual ~KeyValues() = default;

  // All or nothing. Durable on return with `sync`; else together with the next synced write.
  // ResourceExhausted when there is too little space; the second has a limit of its own, and the
  // third, for the few bytes that decisions and removals need, none.
  virtual absl::Status Write(const WriteSet& writes, bool sync) = 0;
  virtual absl::Status WriteAbove(int64_t free_bytes_min, const WriteSet& writes, bool sync) = 0;
  virtual absl::Status WriteIntoReserve(const WriteSet& writes, bool sync) = 0;
  absl::Status Write(const WriteSet& writes) { return Write(writes, true); }
  absl::Status WriteIntoReserve(const WriteSet& writes) { return WriteIntoReserve(writes, true); }
  // OK, or the error that such a write would get; of an engine that knows its space.
  virtual absl::Status CheckSpace() const = 0;
  virtual absl::Status CheckSpaceAbove(int64_t free_bytes_min) const = 0;
  virtual int64_t FreeBytes() const = 0;  // 0: not known
  // nullopt when absent.
  virtual absl::StatusOr<std::optional<std::string>> Get(int family,
                                                         absl::string_view key) const = 0;
  // Keys in [begin, end) in order until `visit` returns false; an empty end means the last key.
  // `visit` must not call Write.
  using Visit = std::function<bool(absl::string_view key, absl::string_view value)>;
  virtual absl::Status Scan(int family, absl::string_view begin, absl::string_view end,
                            const Visit& visit) const = 0;
  // The same from the last key to the first.
  virtual absl::Status ScanBack(int family, absl::string_view begin, absl::string_view end,
                                const Visit& visit) const = 0;
  // The last key below `end` (empty: of all) with its value.
  virtual absl::StatusOr<std::optional<std::pair<std::string, std::string>>> Last(
      int family, absl::string_view end) const = 0;

  // Returns the space of deleted keys; may take minutes, until EndCompactions.
  virtual absl::Status Compact(int family, const std::string& begin, const std::string& end) = 0;
  virtual void EndCompactions() = 0;
  // Why writes are refused, after trying to end that; OK: they are not.
  virtual absl::Status Recover(absl::Time now) = 0;
  virtual std::string Name() const = 0;  // for people: a folder, or an address without secrets
  // Numbers of the engine for metrics: ("block_cache_usage_bytes", 1234), ...
  virtual std::vector<std::pair<std::string, double>> Properties() const = 0;
};

// The smallest string above every string with this prefix, as the end of a Scan; empty when there
// is none.
inline std::string PrefixEnd(absl::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

}  // namespace fpo
