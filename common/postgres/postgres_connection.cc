#include "common/postgres/postgres_connection.h"
#include "common/clock.h"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/error_info.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr uint32_t kOidBytea = 17;
constexpr uint32_t kOidInt2 = 21;
constexpr char kFenced[] = "FPO01";  // the SQLSTATE of fpo_write
constexpr int64_t kPasswordBytesMax = 4096;

void AppendInt32(uint32_t number, std::string* to) {
  for (int shift = 24; shift >= 0; shift -= 8) to->push_back(static_cast<char>(number >> shift));
}

// An array of one dimension, without its elements.
std::string ArrayHead(uint32_t element, size_t count) {
  std::string bytes;
  AppendInt32(count == 0 ? 0 : 1, &bytes);
  AppendInt32(0, &bytes);  // no nulls
  AppendInt32(element, &bytes);
  if (count == 0) return bytes;
  AppendInt32(static_cast<uint32_t>(count), &bytes);
  AppendInt32(1, &bytes);  // the first index
  return bytes;
}

absl::StatusOr<std::string> ReadPassword(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kPasswordBytesMax));
  return std::string(absl::StripAsciiWhitespace(text.substr(0, text.find('\n'))));
}

std::string Trimmed(const char* message) {
  return std::string(absl::StripAsciiWhitespace(message == nullptr ? "" : message));
}

absl::Status FromResult(const PGresult* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string code = state == nullptr ? "" : state;
  const std::string message =
      absl::StrCat("PostgreSQL: ", Trimmed(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)));
  if (code == kFenced) {
    return WithErrorInfo(absl::FailedPreconditionError(message), {ErrorReason::kNotLeader});
  }
  if (code.substr(0, 2) == "53") return absl::ResourceExhaustedError(message);
  if (code.substr(0, 2) == "XX") return absl::DataLossError(message);  // damaged data or index
  if (code.substr(0, 2) == "42" || code.substr(0, 2) == "22") return absl::InternalError(message);
  return absl::UnavailableError(message);
}

// What durability and fencing depend on, whatever the server's or the role's defaults are.
constexpr char kSettings[] =
    "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
    " WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false),"
    " set_config('default_transaction_isolation', 'read committed', false),"
    " set_config('statement_timeout', '30s', false), set_config('lock_timeout', '8s', false),"
    " set_config('client_min_messages', 'error', false)";

}  // namespace

PgParam PgParam::Int(int64_t number) { return {absl::StrCat(number), false}; }

PgParam PgParam::Ints(const std::vector<int16_t>& numbers) {
  PgParam param{ArrayHead(kOidInt2, numbers.size())};
  for (const int16_t number : numbers) {
    AppendInt32(2, &param.bytes);
    param.bytes.push_back(static_cast<char>(static_cast<uint16_t>(number) >> 8));
    param.bytes.push_back(static_cast<char>(number));
  }
  return param;
}

PgParam PgParam::ByteStrings(const std::vector<const std::string*>& strings) {
  PgParam param{ArrayHead(kOidBytea, strings.size())};
  for (const std::string* string : strings) {
    AppendInt32(static_cast<uint32_t>(string->size()), &param.bytes);
    param.bytes += *string;
  }
  return param;
}

int PgRows::changed() const {
  int rows = 0;
  return absl::SimpleAtoi(PQcmdTuples(result_.get()), &rows) ? rows : 0;
}

int64_t PgRows::Int(int row, int column) const {
  const absl::string_view bytes = Bytes(row, column);
  uint64_t number = !bytes.empty() && (bytes[0] & 0x80) != 0 ? ~uint64_t{0} : 0;
  for (const char byte : bytes) number = number << 8 | static_cast<uint8_t>(byte);
  return static_cast<int64_t>(number);
}

absl::StatusOr<std::unique_ptr<PgConnection>> PgConnection::Open(const PostgresOptions& options) {
  // Later words win over those in the address.
  std::vector<std::pair<std::string, std::string>> words = {
      {"dbname", options.address},
      {"target_session_attrs", "read-write"},  // of several hosts, the one that is no replica
      {"connect_timeout",
       absl::StrCat(std::max<int64_t>(absl::ToInt64Seconds(options.answer_time), 2))},
      {"keepalives_idle", "5"},
      {"keepalives_interval", "5"},
      {"keepalives_count", "2"},
      {"application_name", "fpo-coordinator"}};
  if (!options.password_file.empty()) {
    FPO_ASSIGN_OR_RETURN(std::string password, ReadPassword(options.password_file));
    words.emplace_back("password", std::move(password));
  }
  std::vector<const char*> names, values;
  for (const auto& [name, value] : words) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  std::unique_ptr<PgConnection> opened(new PgConnection(
      PQconnectdbParams(names.data(), values.data(), /*expand_dbname=*/1), options.answer_time));
  if (PQstatus(opened->connection_.get()) != CONNECTION_OK) {
    return absl::UnavailableError(
        absl::StrCat("PostgreSQL: ", Trimmed(PQerrorMessage(opened->connection_.get()))));
  }
  if (PQsetnonblocking(opened->connection_.get(), 1) != 0) return opened->Lost("set up");
  FPO_RETURN_IF_ERROR(opened->Run(kSettings).status());
  return opened;
}

absl::Status PgConnection::Lost(absl::string_view what) {
  broken_ = true;
  return absl::UnavailableError(absl::StrCat("the connection to PostgreSQL broke (", what,
                                             "): ", Trimmed(PQerrorMessage(connection_.get()))));
}

// Sends what is left of the statement and reads until the whole answer is here.
absl::Status PgConnection::Await(absl::Time deadline) {
  PGconn* const raw = connection_.get();
  for (;;) {
    const int unsent = PQflush(raw);
    if (unsent < 0) return Lost("send");
    if (unsent == 0 && PQisBusy(raw) == 0) return absl::OkStatus();
    pollfd socket{PQsocket(raw), static_cast<int16_t>(POLLIN | (unsent > 0 ? POLLOUT : 0)), 0};
    const int64_t left = absl::ToInt64Milliseconds(deadline - BootNow());
    if (left <= 0) return Lost("no answer in time");
    const int ready = poll(&socket, 1, static_cast<int>(std::min<int64_t>(left, 1000)));
    if (ready < 0 && errno != EINTR) return Lost("poll");
    if (ready > 0 && PQconsumeInput(raw) == 0) return Lost("receive");
  }
}

absl::StatusOr<PgRows> PgConnection::Run(const std::string& sql,
                                         const std::vector<PgParam>& params) {
  std::vector<const char*> values;
  std::vector<int> lengths, formats;
  for (const PgParam& param : params) {
    values.push_back(param.bytes.c_str());
    lengths.push_back(static_cast<int>(param.bytes.size()));
    formats.push_back(param.is_binary ? 1 : 0);
  }
  PGconn* const raw = connection_.get();
  if (PQsendQueryParams(raw, sql.c_str(), static_cast<int>(params.size()), nullptr, values.data(),
                        lengths.data(), formats.data(), /*resultFormat=*/1) == 0) {
    return Lost("send");
  }
  const absl::Time deadline = BootNow() + answer_time_;
  std::optional<PgRows> rows;
  absl::Status error;
  for (;;) {
    FPO_RETURN_IF_ERROR(Await(deadline));
    PGresult* const result = PQgetResult(raw);
    if (result == nullptr) break;
    rows.emplace(result);
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) error.Update(FromResult(result));
  }
  if (PQstatus(raw) != CONNECTION_OK) return Lost("ended by the server");
  FPO_RETURN_IF_ERROR(error);
  if (!rows) return Lost("no answer");
  return *std::move(rows);
}

}  // namespace fpo
