#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/postgres/postgres_key_values.h"

// libpq, for the files of this folder only.
namespace fpo {

// A parameter of a statement in PostgreSQL's binary form.
struct PgParam {
  std::string bytes;
  bool is_binary = true;

  static PgParam Bytes(absl::string_view bytes) { return {std::string(bytes)}; }
  static PgParam Text(absl::string_view text) { return {std::string(text), false}; }
  static PgParam Int(int64_t number);                        // as text, for any integer type
  static PgParam Ints(const std::vector<int16_t>& numbers);  // smallint[]
  static PgParam ByteStrings(const std::vector<const std::string*>& strings);  // bytea[]
};

// Rows in binary form.
class PgRows {
 public:
  explicit PgRows(PGresult* result) : result_(result, &PQclear) {}
  int size() const { return PQntuples(result_.get()); }
  int changed() const;  // rows that an UPDATE changed
  absl::string_view Bytes(int row, int column) const {
    return {PQgetvalue(result_.get(), row, column),
            static_cast<size_t>(PQgetlength(result_.get(), row, column))};
  }
  int64_t Int(int row, int column) const;  // of any size

 private:
  std::unique_ptr<PGresult, void (*)(PGresult*)> result_;
};

// One connection. Not thread-safe.
class PgConnection {
 public:
  // Settings that durability and fencing depend on are made here. Unavailable.
  static absl::StatusOr<std::unique_ptr<PgConnection>> Open(const PostgresOptions& options);

  // Waits at most options.answer_time. Unavailable: the connection is broken and the outcome may be
  // unknown. FailedPrecondition (NOT_LEADER): fpo_write refused. Others: the statement failed and
  // did nothing.
  absl::StatusOr<PgRows> Run(const std::string& sql, const std::vector<PgParam>& params = {});
  bool is_broken() const { return broken_ || PQstatus(connection_.get()) != CONNECTION_OK; }

 private:
  PgConnection(PGconn* connection, absl::Duration answer_time)
      : connection_(connection, &PQfinish), answer_time_(answer_time) {}
  absl::Status Await(absl::Time deadline);
  absl::Status Lost(absl::string_view what);

  std::unique_ptr<PGconn, void (*)(PGconn*)> connection_;
  const absl::Duration answer_time_;
  bool broken_ = false;
};

}  // namespace fpo
