// PostgresKeyValues of a build without libpq: says so.
#include "absl/status/status.h"
#include "common/postgres/postgres_key_values.h"

namespace fpo {
namespace {

absl::Status None() {
  return absl::UnimplementedError(
      "this program was built without libpq and has no PostgreSQL store: install libpq-dev and "
      "build it again, or keep jobs in a folder (--data)");
}

}  // namespace

absl::Status CheckPostgresAddress(const std::string&) { return None(); }

struct PostgresKeyValues::State {};
PostgresKeyValues::PostgresKeyValues(std::unique_ptr<State> state) : state_(std::move(state)) {}
PostgresKeyValues::~PostgresKeyValues() = default;
absl::StatusOr<std::unique_ptr<PostgresKeyValues>> PostgresKeyValues::Open(PostgresOptions) {
  return None();
}
absl::StatusOr<Lead> PostgresKeyValues::ReadLead() const { return None(); }
absl::StatusOr<bool> PostgresKeyValues::TakeLead(const Lead&, const std::string&) { return None(); }
absl::Status PostgresKeyValues::RenewLead() { return None(); }
absl::Status PostgresKeyValues::StepDown() { return None(); }
absl::Status PostgresKeyValues::Write(const WriteSet&, bool) { return None(); }
absl::StatusOr<std::optional<std::string>> PostgresKeyValues::Get(int, absl::string_view) const {
  return None();
}
absl::Status PostgresKeyValues::Scan(int, absl::string_view, absl::string_view,
                                     const Visit&) const {
  return None();
}
absl::Status PostgresKeyValues::ScanBack(int, absl::string_view, absl::string_view,
                                         const Visit&) const {
  return None();
}
absl::StatusOr<std::optional<std::pair<std::string, std::string>>> PostgresKeyValues::Last(
    int, absl::string_view) const {
  return None();
}
absl::Status PostgresKeyValues::ScanAll(
    const std::function<absl::Status(int, absl::string_view, absl::string_view)>&) const {
  return None();
}
absl::StatusOr<bool> PostgresKeyValues::IsEmpty() const { return None(); }
absl::Status PostgresKeyValues::Recover(absl::Time) { return None(); }
std::string PostgresKeyValues::Name() const { return ""; }

}  // namespace fpo
