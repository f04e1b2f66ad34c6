#pragma once

#include <memory>
#include <string>

#include "common/postgres/postgres_key_values.h"
#include "coordinator/core/store/keyed_job_store.h"

namespace fpo::coordinator {

// Jobs in a PostgreSQL database, in the same keys and values as in a RocksDB folder. Thread-safe.
class PostgresJobStore final : public KeyedJobStore {
 public:
  // `values` leads; it is shared with the election. Errors: those of KeyedJobStore::CheckSchema.
  static absl::StatusOr<std::unique_ptr<PostgresJobStore>> Open(
      std::shared_ptr<PostgresKeyValues> values);

  // As of one moment, into a RocksDB folder.
  absl::Status CopyTo(const std::string& folder) const override;

 private:
  explicit PostgresJobStore(std::shared_ptr<PostgresKeyValues> values)
      : KeyedJobStore(values), postgres_(std::move(values)) {}

  const std::shared_ptr<const PostgresKeyValues> postgres_;
};

// Copies every key of the store in a folder into an empty database, whose lead the caller has; then
// both have the same jobs and the same identity. AlreadyExists: the database holds jobs.
absl::Status CopyToPostgres(const std::string& folder, PostgresKeyValues* target);

}  // namespace fpo::coordinator
