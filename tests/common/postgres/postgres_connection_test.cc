#include "common/postgres/postgres_connection.h"

#include <signal.h>

#include <thread>

#include "absl/strings/numbers.h"
#include "gtest/gtest.h"
#include "tests/integration/postgres_server.h"

namespace fpo {
namespace {

class PgConnectionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::PostgresServer::Missing().empty()) {
      GTEST_SKIP() << testing::PostgresServer::Missing();
    }
    server_ = std::make_unique<testing::PostgresServer>();
    options_.address = server_->Url();
    options_.answer_time = absl::Seconds(2);
    connection_ = PgConnection::Open(options_).value();
  }
  std::unique_ptr<testing::PostgresServer> server_;
  PostgresOptions options_;
  std::unique_ptr<PgConnection> connection_;
};

TEST_F(PgConnectionTest, ValuesOfEveryKindArrive) {
  const std::string bytes("a\0\xff", 3), empty;
  const PgRows rows =
      connection_
          ->Run(
              "SELECT $1::bytea, ($2::bytea[])[2], ($3::smallint[])[1], $4::bigint, "
              "array_length($5::bytea[], 1) IS NULL, -2::smallint",
              {PgParam::Bytes(bytes), PgParam::ByteStrings({&empty, &bytes}),
               PgParam::Ints({-7, 3}), PgParam::Int(-(int64_t{1} << 40)), PgParam::ByteStrings({})})
          .value();
  ASSERT_EQ(rows.size(), 1);
  EXPECT_EQ(rows.Bytes(0, 0), bytes);
  EXPECT_EQ(rows.Bytes(0, 1), bytes);
  EXPECT_EQ(rows.Int(0, 2), -7);
  EXPECT_EQ(rows.Int(0, 3), -(int64_t{1} << 40));
  EXPECT_EQ(rows.Int(0, 4), 1);
  EXPECT_EQ(rows.Int(0, 5), -2);
}

TEST_F(PgConnectionTest, AFailedStatementLeavesTheConnectionUsable) {
  EXPECT_FALSE(connection_->Run("SELECT nonsense").ok());
  EXPECT_FALSE(connection_->is_broken());
  EXPECT_EQ(connection_->Run("SELECT 5").value().Int(0, 0), 5);
}

// A server that stands still answers nothing, and nothing says so.
TEST_F(PgConnectionTest, AnAnswerIsNotAwaitedForEver) {
  int64_t pid = connection_->Run("SELECT pg_backend_pid()").value().Int(0, 0);
  ASSERT_EQ(kill(static_cast<pid_t>(pid), SIGSTOP), 0);
  const absl::StatusOr<PgRows> silent = connection_->Run("SELECT 1");
  kill(static_cast<pid_t>(pid), SIGCONT);
  EXPECT_TRUE(absl::IsUnavailable(silent.status())) << silent.status();
  EXPECT_TRUE(connection_->is_broken()) << "its late answer must not be taken for another's";
}

}  // namespace
}  // namespace fpo
