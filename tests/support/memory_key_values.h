#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/store/key_values.h"

namespace fpo::testing {

// Keys and values in a map that outlives it, so that a test can look into it, damage it and open it
// again. Not thread-safe.
class MemoryKeyValues final : public KeyValues {
 public:
  using Spaces = std::map<std::pair<int, std::string>, std::string>;
  explicit MemoryKeyValues(Spaces* spaces) : spaces_(*spaces) {}

  // From now on writes fail with this; `done`: and are done all the same, as after a failed fsync
  // whose log is replayed later. OK ends it.
  void FailWrites(const absl::Status& status, bool done) {
    failure_ = status;
    done_ = done;
  }

  using KeyValues::Write;
  absl::Status Write(const WriteSet& writes, bool) override {
    if (!failure_.ok() && !done_) return failure_;
    for (const WriteSet::Op& op : writes.ops()) {
      if (op.kind == WriteSet::Kind::kPut) {
        spaces_[{op.family, op.key}] = op.value;
      } else if (op.kind == WriteSet::Kind::kDelete) {
        spaces_.erase({op.family, op.key});
      } else {
        spaces_.erase(spaces_.lower_bound({op.family, op.key}),
                      spaces_.lower_bound({op.family, op.value}));
      }
    }
    return failure_;
  }
  absl::Status WriteAbove(int64_t, const WriteSet& writes, bool sync) override {
    return Write(writes, sync);
  }
  using KeyValues::WriteIntoReserve;
  absl::Status WriteIntoReserve(const WriteSet& writes, bool sync) override {
    return Write(writes, sync);
  }
  absl::Status CheckSpace() const override { return absl::OkStatus(); }
  absl::Status CheckSpaceAbove(int64_t) const override { return absl::OkStatus(); }
  int64_t FreeBytes() const override { return 0; }
  absl::Status Compact(int, const std::string&, const std::string&) override {
    return absl::OkStatus();
  }
  void EndCompactions() override {}
  absl::Status ScanBack(int family, absl::string_view begin, absl::string_view end,
                        const Visit& visit) const override {
    auto it = End(family, end);
    for (const auto first = spaces_.lower_bound({family, std::string(begin)}); it != first;) {
      --it;
      if (!visit(it->first.second, it->second)) break;
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::optional<std::string>> Get(int family, absl::string_view key) const override {
    const auto found = spaces_.find({family, std::string(key)});
    if (found == spaces_.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
  }
  absl::Status Scan(int family, absl::string_view begin, absl::string_view end,
                    const Visit& visit) const override {
    const auto last = End(family, end);
    for (auto it = spaces_.lower_bound({family, std::string(begin)}); it != last; ++it) {
      if (!visit(it->first.second, it->second)) break;
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::optional<std::pair<std::string, std::string>>> Last(
      int family, absl::string_view end) const override {
    const auto last = End(family, end);
    std::optional<std::pair<std::string, std::string>> found;
    if (last != spaces_.begin() && std::prev(last)->first.first == family) {
      found.emplace(std::prev(last)->first.second, std::prev(last)->second);
    }
    return found;
  }
  absl::Status Recover(absl::Time) override { return failure_; }
  std::string Name() const override { return "memory"; }
  std::vector<std::pair<std::string, double>> Properties() const override { return {}; }

 private:
  Spaces::const_iterator End(int family, absl::string_view end) const {
    return end.empty() ? spaces_.lower_bound({family + 1, ""})
                       : spaces_.lower_bound({family, std::string(end)});
  }
  Spaces& spaces_;
  absl::Status failure_;
  bool done_ = false;
};

}  // namespace fpo::testing
