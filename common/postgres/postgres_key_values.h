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
#include "common/store/key_values.h"
#include "common/store/lead.h"

namespace fpo {

struct PostgresOptions {
  // postgresql://USER@HOST[:PORT][,HOST2...]/DATABASE[?PARAMETERS], without a password.
  std::string address;
  std::string password_file;  // its first line; empty: as libpq does, from PGPASSFILE or ~/.pgpass
  absl::Duration answer_time = absl::Seconds(30);      // to a statement
  absl::Duration lead_answer_time = absl::Seconds(2);  // to one about the lead
};

// InvalidArgument: not such an address, or a password is in it, where other users could read it.
absl::Status CheckPostgresAddress(const std::string& address);

// Keys and values in one table of a PostgreSQL database, and beside it who leads. Each atomic group
// is one transaction that checks its writer's token in the database. Thread-safe; a broken
// connection is replaced by the next call.
class PostgresKeyValues final : public KeyValues, public LeadKeeper {
 public:
  // Makes the tables when they are absent. Unavailable; Unimplemented: built without libpq.
  static absl::StatusOr<std::unique_ptr<PostgresKeyValues>> Open(PostgresOptions options);
  ~PostgresKeyValues() override;

  absl::StatusOr<Lead> ReadLead() const override;
  absl::StatusOr<bool> TakeLead(const Lead& seen, const std::string& holder) override;
  absl::Status RenewLead() override;
  absl::Status StepDown() override;

  // FailedPrecondition (NOT_LEADER): another program leads, or it is not known whether this or an
  // earlier write was done; the lead must be taken again and everything be read again. Any other
  // error: it was not done.
  using KeyValues::Write;
  absl::Status Write(const WriteSet& writes, bool sync) override;
  absl::Status WriteAbove(int64_t, const WriteSet& writes, bool sync) override {
    return Write(writes, sync);
  }
  using KeyValues::WriteIntoReserve;
  absl::Status WriteIntoReserve(const WriteSet& writes, bool sync) override {
    return Write(writes, sync);
  }
  // The database says itself when it is full.
  absl::Status CheckSpace() const override { return absl::OkStatus(); }
  absl::Status CheckSpaceAbove(int64_t) const override { return absl::OkStatus(); }
  int64_t FreeBytes() const override { return 0; }
  absl::StatusOr<std::optional<std::string>> Get(int family, absl::string_view key) const override;
  absl::Status Scan(int family, absl::string_view begin, absl::string_view end,
                    const Visit& visit) const override;
  absl::Status ScanBack(int family, absl::string_view begin, absl::string_view end,
                        const Visit& visit) const override;
  absl::StatusOr<std::optional<std::pair<std::string, std::string>>> Last(
      int family, absl::string_view end) const override;
  // Everything as of one moment.
  absl::Status ScanAll(const std::function<absl::Status(int family, absl::string_view key,
                                                        absl::string_view value)>& visit) const;
  absl::StatusOr<bool> IsEmpty() const;
  absl::Status Compact(int, const std::string&, const std::string&) override {
    return absl::OkStatus();  // autovacuum
  }
  void EndCompactions() override {}
  absl::Status Recover(absl::Time now) override;
  std::string Name() const override;
  std::vector<std::pair<std::string, double>> Properties() const override { return {}; }

 private:
  struct State;
  explicit PostgresKeyValues(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace fpo
