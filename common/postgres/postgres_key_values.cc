#include "common/postgres/postgres_key_values.h"
#include "common/clock.h"

#include <atomic>
#include <limits>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/error_info.h"
#include "common/postgres/postgres_connection.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

// Programs that start at once make the tables one after the other. Writes of one leader are
// numbered without gaps: a repetition, or a statement that was stuck while later ones went ahead,
// does nothing, and a restarted database that lost unsynced writes is noticed.
constexpr char kTables[] = R"(DO $$ BEGIN
PERFORM pg_advisory_xact_lock(461968273);
CREATE TABLE IF NOT EXISTS fpo_kv
  (space smallint NOT NULL, key bytea NOT NULL, value bytea NOT NULL, PRIMARY KEY (space, key));
CREATE TABLE IF NOT EXISTS fpo_leader
  (one boolean PRIMARY KEY DEFAULT true CHECK (one), token bigint NOT NULL, holder text NOT NULL);
CREATE TABLE IF NOT EXISTS fpo_beat
  (one boolean PRIMARY KEY DEFAULT true CHECK (one), beat bigint NOT NULL);
CREATE TABLE IF NOT EXISTS fpo_written
  (one boolean PRIMARY KEY DEFAULT true CHECK (one), written bigint NOT NULL);
INSERT INTO fpo_leader VALUES (true, 0, '') ON CONFLICT DO NOTHING;
INSERT INTO fpo_beat VALUES (true, 0) ON CONFLICT DO NOTHING;
INSERT INTO fpo_written VALUES (true, 0) ON CONFLICT DO NOTHING;
CREATE OR REPLACE FUNCTION fpo_write(writer bigint, number bigint, is_synced boolean,
    kinds smallint[], spaces smallint[], keys bytea[], vals bytea[])
    RETURNS void LANGUAGE plpgsql AS $f$
DECLARE last bigint;
BEGIN
  PERFORM 1 FROM fpo_leader WHERE token = writer FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'another coordinator leads' USING ERRCODE = 'FPO01';
  END IF;
  SELECT written INTO last FROM fpo_written FOR UPDATE;
  IF last >= number THEN RETURN; END IF;
  IF last <> number - 1 THEN
    RAISE EXCEPTION 'the database lost writes that were not synced' USING ERRCODE = 'FPO01';
  END IF;
  UPDATE fpo_written SET written = number;
  IF NOT is_synced THEN PERFORM set_config('synchronous_commit', 'off', true); END IF;
  FOR i IN 1 .. coalesce(array_length(kinds, 1), 0) LOOP
    IF kinds[i] = 0 THEN
      INSERT INTO fpo_kv VALUES (spaces[i], keys[i], vals[i])
        ON CONFLICT (space, key) DO UPDATE SET value = excluded.value;
    ELSIF kinds[i] = 1 THEN
      DELETE FROM fpo_kv WHERE space = spaces[i] AND key = keys[i];
    ELSE
      DELETE FROM fpo_kv WHERE space = spaces[i] AND key >= keys[i] AND key < vals[i];
    END IF;
  END LOOP;
END $f$;
END $$)";
constexpr int kPage = 500;  // rows of a scan in memory at once
constexpr size_t kIdleMax = 8;
constexpr absl::Duration kWriteRetry = absl::Seconds(4);
constexpr absl::Duration kWritePause = absl::Milliseconds(100);

}  // namespace

absl::Status CheckPostgresAddress(const std::string& address) {
  if (!absl::StartsWith(address, "postgresql://") && !absl::StartsWith(address, "postgres://")) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", address, "\" is no postgresql://USER@HOST/DATABASE"));
  }
  const size_t begin = address.find("//") + 2;
  const size_t at = address.find('@', begin);
  const bool in_user = at != std::string::npos && at < address.find('/', begin) &&
                       address.substr(begin, at - begin).find(':') != std::string::npos;
  if (in_user || address.find("password=") != std::string::npos) {
    return absl::InvalidArgumentError(
        "a password in the address can be read by every user of this machine: put it into a file "
        "and name that with --store-password-file, or use PGPASSFILE");
  }
  return absl::OkStatus();
}

struct PostgresKeyValues::State {
  PostgresOptions options;
  std::atomic<int64_t> token = -1;  // nobody's
  mutable absl::Mutex lead_mutex;
  mutable std::unique_ptr<PgConnection> lead ABSL_GUARDED_BY(lead_mutex);

  absl::Mutex write_mutex;
  int64_t written ABSL_GUARDED_BY(write_mutex) = 0;  // the number of the last write
  // Why it is not known whether a write was done; the lead must be taken again.
  absl::Status doubt ABSL_GUARDED_BY(write_mutex);

  absl::Status WriteNext(const std::vector<PgParam>& params)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex);
  // Does not wait for a write that is under way.
  absl::Status Doubt() {
    if (!write_mutex.TryLock()) return absl::OkStatus();
    const absl::Status status = doubt;
    write_mutex.Unlock();
    return status;
  }

  mutable absl::Mutex mutex;
  mutable std::vector<std::unique_ptr<PgConnection>> idle ABSL_GUARDED_BY(mutex);

  absl::StatusOr<std::unique_ptr<PgConnection>> Borrow() const {
    {
      absl::MutexLock lock(&mutex);
      if (!idle.empty()) {
        std::unique_ptr<PgConnection> connection = std::move(idle.back());
        idle.pop_back();
        return connection;
      }
    }
    return PgConnection::Open(options);
  }
  void GiveBack(std::unique_ptr<PgConnection> connection) const {
    absl::MutexLock lock(&mutex);
    if (connection->is_broken()) {
      idle.clear();  // the others are of the same server, which may be another one now
    } else if (idle.size() < kIdleMax) {
      idle.push_back(std::move(connection));
    }
  }
  // On a connection of its own: nothing about the lead waits behind other statements.
  absl::StatusOr<PgRows> RunForLead(const std::string& sql,
                                    const std::vector<PgParam>& params) const {
    absl::MutexLock lock(&lead_mutex);
    if (lead && !lead->is_broken()) {
      absl::StatusOr<PgRows> rows = lead->Run(sql, params);
      if (!lead->is_broken()) return rows;
    }
    // It was cut, perhaps long ago.
    lead.reset();
    PostgresOptions quick = options;
    quick.answer_time = options.lead_answer_time;
    FPO_ASSIGN_OR_RETURN(lead, PgConnection::Open(quick));
    return lead->Run(sql, params);
  }
  struct Range {
    int family;
    std::string begin;
    std::string end;  // empty: none
    bool is_back;     // from the end on
  };
  absl::Status ScanPages(Range range, const Visit& visit) const;
  // A statement that may be repeated: an idle connection may have been cut long ago.
  absl::StatusOr<PgRows> Run(const std::string& sql, const std::vector<PgParam>& params) const {
    for (int attempt = 0;; ++attempt) {
      FPO_ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, Borrow());
      absl::StatusOr<PgRows> rows = connection->Run(sql, params);
      const bool again = connection->is_broken() && attempt == 0;
      GiveBack(std::move(connection));
      if (!again) return rows;
    }
  }
};

// The database may be restarting, or another server take its place: tries for a while. What was
// sent and not answered is repeated under its number.
absl::Status PostgresKeyValues::State::WriteNext(const std::vector<PgParam>& params) {
  FPO_RETURN_IF_ERROR(doubt);
  bool was_sent = false;
  const absl::Time give_up = BootNow() + kWriteRetry;
  for (;;) {
    absl::StatusOr<std::unique_ptr<PgConnection>> connection = Borrow();
    absl::Status status = connection.status();
    if (connection.ok()) {
      status =
          (*connection)
              ->Run("SELECT fpo_write($1::bigint, $2::bigint, $3::boolean, $4, $5, $6, $7)", params)
              .status();
      const bool is_broken = (*connection)->is_broken();
      GiveBack(*std::move(connection));
      if (status.ok()) ++written;
      // Fenced, or the database lost earlier writes. Whatever connection that came on, no later
      // write can succeed before the lead is taken again.
      if (!is_broken && ReasonOf(status) == ErrorReason::kNotLeader) return doubt = status;
      // An answer: it is done, or certainly not.
      if (!is_broken && (status.ok() || !was_sent)) return status;
      was_sent = true;
    }
    if (BootNow() < give_up) {
      absl::SleepFor(kWritePause);
      continue;
    }
    if (!was_sent) return status;
    return doubt = WithErrorInfo(
               absl::FailedPreconditionError(absl::StrCat(
                   "it is not known whether a write was done, so this coordinator must take the "
                   "lead again: ",
                   status.message())),
               {.reason = ErrorReason::kNotLeader});
  }
}

PostgresKeyValues::PostgresKeyValues(std::unique_ptr<State> state) : state_(std::move(state)) {}
PostgresKeyValues::~PostgresKeyValues() = default;

absl::StatusOr<std::unique_ptr<PostgresKeyValues>> PostgresKeyValues::Open(
    PostgresOptions options) {
  FPO_RETURN_IF_ERROR(CheckPostgresAddress(options.address));
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  FPO_RETURN_IF_ERROR(state->Run(kTables, {}).status());
  return std::unique_ptr<PostgresKeyValues>(new PostgresKeyValues(std::move(state)));
}

absl::StatusOr<Lead> PostgresKeyValues::ReadLead() const {
  FPO_ASSIGN_OR_RETURN(
      const PgRows rows,
      state_->RunForLead("SELECT token, beat, holder FROM fpo_leader, fpo_beat", {}));
  if (rows.size() != 1) return absl::DataLossError("fpo_leader does not hold its one row");
  return Lead{rows.Int(0, 0), rows.Int(0, 1), std::string(rows.Bytes(0, 2))};
}

absl::StatusOr<bool> PostgresKeyValues::TakeLead(const Lead& seen, const std::string& holder) {
  // Waits for a write of the former leader that is under way. If the answer is lost the next look
  // finds another token, which costs one more wait.
  FPO_ASSIGN_OR_RETURN(
      const PgRows rows,
      state_->RunForLead(
          "WITH taken AS (UPDATE fpo_leader SET token = token + 1, holder = $3 WHERE token = "
          "$1::bigint AND $2::bigint = (SELECT beat FROM fpo_beat) RETURNING token), "
          "counted AS (UPDATE fpo_written SET written = 0 WHERE EXISTS (SELECT 1 FROM taken)) "
          "SELECT token FROM taken",
          {PgParam::Int(seen.token), PgParam::Int(seen.beat), PgParam::Text(holder)}));
  if (rows.size() == 0) return false;
  absl::MutexLock lock(&state_->write_mutex);
  state_->token = rows.Int(0, 0);
  state_->written = 0;
  state_->doubt = absl::OkStatus();
  return true;
}

absl::Status PostgresKeyValues::RenewLead() {
  FPO_RETURN_IF_ERROR(state_->Doubt());
  FPO_ASSIGN_OR_RETURN(
      const PgRows rows,
      state_->RunForLead("UPDATE fpo_beat SET beat = beat + 1 WHERE EXISTS (SELECT 1 FROM "
                         "fpo_leader WHERE token = $1::bigint)",
                         {PgParam::Int(state_->token)}));
  if (rows.changed() == 1) return absl::OkStatus();
  return WithErrorInfo(absl::FailedPreconditionError("another coordinator leads"),
                       {.reason = ErrorReason::kNotLeader});
}

absl::Status PostgresKeyValues::StepDown() {
  const int64_t token = state_->token.exchange(-1);
  return state_
      ->RunForLead("UPDATE fpo_leader SET holder = '' WHERE token = $1::bigint",
                   {PgParam::Int(token)})
      .status();
}

absl::Status PostgresKeyValues::Write(const WriteSet& writes, bool sync) {
  std::vector<int16_t> kinds, spaces;
  std::vector<const std::string*> keys, values;
  for (const WriteSet::Op& op : writes.ops()) {
    kinds.push_back(static_cast<int16_t>(op.kind));
    spaces.push_back(static_cast<int16_t>(op.family));
    keys.push_back(&op.key);
    values.push_back(&op.value);
  }
  absl::MutexLock lock(&state_->write_mutex);
  return state_->WriteNext({PgParam::Int(state_->token), PgParam::Int(state_->written + 1),
                            PgParam::Text(sync ? "true" : "false"), PgParam::Ints(kinds),
                            PgParam::Ints(spaces), PgParam::ByteStrings(keys),
                            PgParam::ByteStrings(values)});
}

absl::StatusOr<std::optional<std::string>> PostgresKeyValues::Get(int family,
                                                                  absl::string_view key) const {
  FPO_ASSIGN_OR_RETURN(
      const PgRows rows,
      state_->Run("SELECT value FROM fpo_kv WHERE space = $1::smallint AND key = $2",
                  {PgParam::Int(family), PgParam::Bytes(key)}));
  if (rows.size() == 0) return std::optional<std::string>();
  return std::optional<std::string>(std::string(rows.Bytes(0, 0)));
}

absl::Status PostgresKeyValues::State::ScanPages(Range range, const Visit& visit) const {
  bool has_end = !range.end.empty();
  for (bool is_first = true;; is_first = false) {
    const std::string sql =
        absl::StrCat("SELECT key, value FROM fpo_kv WHERE space = $1::smallint AND key ",
                     is_first || range.is_back ? ">=" : ">", " $2", has_end ? " AND key < $4" : "",
                     " ORDER BY key ", range.is_back ? "DESC" : "ASC", " LIMIT $3::integer");
    std::vector<PgParam> params = {PgParam::Int(range.family), PgParam::Bytes(range.begin),
                                   PgParam::Int(kPage)};
    if (has_end) params.push_back(PgParam::Bytes(range.end));
    FPO_ASSIGN_OR_RETURN(const PgRows rows, Run(sql, params));
    for (int i = 0; i < rows.size(); ++i) {
      if (!visit(rows.Bytes(i, 0), rows.Bytes(i, 1))) return absl::OkStatus();
    }
    if (rows.size() < kPage) return absl::OkStatus();
    (range.is_back ? range.end : range.begin) = std::string(rows.Bytes(rows.size() - 1, 0));
    has_end = has_end || range.is_back;
  }
}

absl::Status PostgresKeyValues::Scan(int family, absl::string_view begin, absl::string_view end,
                                     const Visit& visit) const {
  return state_->ScanPages({family, std::string(begin), std::string(end), false}, visit);
}

absl::Status PostgresKeyValues::ScanBack(int family, absl::string_view begin, absl::string_view end,
                                         const Visit& visit) const {
  return state_->ScanPages({family, std::string(begin), std::string(end), true}, visit);
}

absl::StatusOr<std::optional<std::pair<std::string, std::string>>> PostgresKeyValues::Last(
    int family, absl::string_view end) const {
  std::vector<PgParam> params = {PgParam::Int(family)};
  if (!end.empty()) params.push_back(PgParam::Bytes(end));
  FPO_ASSIGN_OR_RETURN(
      const PgRows rows,
      state_->Run(absl::StrCat("SELECT key, value FROM fpo_kv WHERE space = $1::smallint",
                               end.empty() ? "" : " AND key < $2", " ORDER BY key DESC LIMIT 1"),
                  params));
  std::optional<std::pair<std::string, std::string>> last;
  if (rows.size() == 1) last.emplace(rows.Bytes(0, 0), rows.Bytes(0, 1));
  return last;
}

absl::Status PostgresKeyValues::ScanAll(
    const std::function<absl::Status(int, absl::string_view, absl::string_view)>& visit) const {
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<PgConnection> connection,
                       PgConnection::Open(state_->options));
  FPO_RETURN_IF_ERROR(connection->Run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").status());
  FPO_RETURN_IF_ERROR(connection
                          ->Run("DECLARE all_rows CURSOR FOR SELECT space, key, value FROM fpo_kv "
                                "ORDER BY space, key")
                          .status());
  for (;;) {
    FPO_ASSIGN_OR_RETURN(const PgRows rows,
                         connection->Run(absl::StrCat("FETCH ", kPage, " FROM all_rows")));
    if (rows.size() == 0) return absl::OkStatus();
    for (int i = 0; i < rows.size(); ++i) {
      FPO_RETURN_IF_ERROR(
          visit(static_cast<int>(rows.Int(i, 0)), rows.Bytes(i, 1), rows.Bytes(i, 2)));
    }
  }
}

absl::StatusOr<bool> PostgresKeyValues::IsEmpty() const {
  FPO_ASSIGN_OR_RETURN(const PgRows rows, state_->Run("SELECT 1 FROM fpo_kv LIMIT 1", {}));
  return rows.size() == 0;
}

absl::Status PostgresKeyValues::Recover(absl::Time) { return state_->Run("SELECT 1", {}).status(); }

std::string PostgresKeyValues::Name() const { return state_->options.address; }

}  // namespace fpo
