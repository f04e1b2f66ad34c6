#include "common/postgres/postgres_key_values.h"

#include <memory>

#include "common/error_info.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/postgres_server.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using testing::PostgresServer;

TEST(PostgresAddress, IsCheckedAndHoldsNoPassword) {
  EXPECT_TRUE(CheckPostgresAddress("postgresql://fpo@db:5432/jobs").ok());
  EXPECT_TRUE(CheckPostgresAddress("postgresql:///jobs?host=/run/postgresql").ok());
  for (const char* bad : {"/data", "postgres", "mysql://x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckPostgresAddress(bad))) << bad;
  }
  for (const char* secret :
       {"postgresql://fpo:geheim@db/jobs", "postgresql://db/jobs?user=fpo&password=geheim"}) {
    const absl::Status status = CheckPostgresAddress(secret);
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_THAT(std::string(status.message()), HasSubstr("--store-password-file"));
    EXPECT_THAT(std::string(status.message()), ::testing::Not(HasSubstr("geheim")));
  }
}

class PostgresKeyValuesTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (PostgresServer::Missing().empty()) server_ = new PostgresServer();
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    if (server_ == nullptr) GTEST_SKIP() << PostgresServer::Missing();
    server_->Query("DROP TABLE IF EXISTS fpo_kv, fpo_leader, fpo_beat, fpo_written");
    values_ = Open();
    ASSERT_TRUE(values_->TakeLead(values_->ReadLead().value(), "a:1").value());
  }
  static std::unique_ptr<PostgresKeyValues> Open() {
    PostgresOptions options;
    options.address = server_->Url();
    auto opened = PostgresKeyValues::Open(options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }
  static WriteSet Put(int family, const std::string& key, const std::string& value) {
    WriteSet writes;
    writes.Put(family, key, value);
    return writes;
  }
  static std::vector<std::pair<std::string, std::string>> All(const KeyValues& values, int family,
                                                              const std::string& begin = "",
                                                              const std::string& end = "") {
    std::vector<std::pair<std::string, std::string>> all;
    EXPECT_TRUE(values
                    .Scan(family, begin, end,
                          [&](absl::string_view key, absl::string_view value) {
                            all.emplace_back(key, value);
                            return true;
                          })
                    .ok());
    return all;
  }
  static PostgresServer* server_;
  std::unique_ptr<PostgresKeyValues> values_;
};

PostgresServer* PostgresKeyValuesTest::server_ = nullptr;

TEST_F(PostgresKeyValuesTest, KeysAreBytesInTheOrderOfBytes) {
  const std::string zero("a\0b", 3), high = "a\xff", value(300'000, '\0');
  WriteSet writes;
  writes.Put(1, high, "h");
  writes.Put(1, zero, value);
  writes.Put(1, "a", "");
  writes.Put(2, "a", "other family");
  writes.Put(1, "b", "1");
  writes.Put(1, "b", "2");
  ASSERT_TRUE(values_->Write(writes).ok());
  EXPECT_THAT(All(*values_, 1),
              ElementsAre(Pair("a", ""), Pair(zero, value), Pair(high, "h"), Pair("b", "2")));
  EXPECT_THAT(All(*values_, 1, "a\x01", "b"), ElementsAre(Pair(high, "h")));
  EXPECT_EQ(values_->Get(1, zero).value(), value);
  EXPECT_EQ(values_->Get(1, "none").value(), std::nullopt);
  EXPECT_EQ(values_->Last(1, "").value()->first, "b");
  EXPECT_EQ(values_->Last(1, "b").value()->first, high);
  EXPECT_EQ(values_->Last(3, "").value(), std::nullopt);
}

TEST_F(PostgresKeyValuesTest, AGroupIsOneTransaction) {
  WriteSet writes;
  for (int i = 0; i < 2000; ++i) writes.Put(0, absl::StrCat("k", 1000 + i), "v");
  ASSERT_TRUE(values_->Write(writes, /*sync=*/false).ok());
  EXPECT_EQ(All(*values_, 0).size(), 2000u) << "more than a page";
  WriteSet change;
  change.DeleteRange(0, "k1", "k2999");
  change.Delete(0, "none");
  change.Put(0, "k2", "new");
  ASSERT_TRUE(values_->Write(change).ok());
  EXPECT_THAT(All(*values_, 0), ElementsAre(Pair("k2", "new"), Pair("k2999", "v")));
}

TEST_F(PostgresKeyValuesTest, WritesOfADeposedLeaderAreRefused) {
  ASSERT_TRUE(values_->Write(Put(0, "k", "first")).ok());
  const auto other = Open();
  EXPECT_FALSE(other->Write(Put(0, "k", "of a standby")).ok());
  const Lead seen = other->ReadLead().value();
  EXPECT_EQ(seen.holder, "a:1");
  ASSERT_TRUE(values_->RenewLead().ok());
  EXPECT_FALSE(other->TakeLead(seen, "b:1").value()) << "the leader has just renewed";
  ASSERT_TRUE(other->TakeLead(other->ReadLead().value(), "b:1").value());
  for (const bool sync : {true, false}) {
    const absl::Status refused = values_->Write(Put(0, "k", "of the past"), sync);
    EXPECT_EQ(ReasonOf(refused), ErrorReason::kNotLeader) << refused;
  }
  EXPECT_EQ(ReasonOf(values_->RenewLead()), ErrorReason::kNotLeader);
  ASSERT_TRUE(other->Write(Put(0, "k", "second")).ok());
  EXPECT_EQ(values_->Get(0, "k").value(), "second");
  EXPECT_TRUE(values_->StepDown().ok());
  EXPECT_EQ(other->ReadLead().value().holder, "b:1") << "not the other's business";
  ASSERT_TRUE(other->StepDown().ok());
  EXPECT_EQ(other->ReadLead().value().holder, "");
}

TEST_F(PostgresKeyValuesTest, ARestartedServerIsWaitedFor) {
  ASSERT_TRUE(values_->Write(Put(0, "a", "1")).ok());
  server_->Stop("fast");
  server_->Start();
  ASSERT_TRUE(values_->Write(Put(0, "b", "2")).ok()) << "all of its connections were cut";
  EXPECT_THAT(All(*values_, 0), ElementsAre(Pair("a", "1"), Pair("b", "2")));
  EXPECT_TRUE(values_->RenewLead().ok());
}

// A crash loses writes that were not synced. A later synced write must not pass for all before it.
TEST_F(PostgresKeyValuesTest, LostUnsyncedWritesAreNoticed) {
  ASSERT_TRUE(values_->Write(Put(0, "a", "1")).ok());
  bool lost = false;
  for (int i = 0; i < 20 && !lost; ++i) {
    ASSERT_TRUE(values_->Write(Put(0, "unsynced", absl::StrCat(i)), /*sync=*/false).ok());
    server_->Kill();
    server_->Start();
    const absl::Status synced = values_->Write(Put(0, "synced", "x"));
    lost = !synced.ok();
    if (lost) {
      EXPECT_EQ(ReasonOf(synced), ErrorReason::kNotLeader) << synced;
      EXPECT_EQ(values_->Get(0, "synced").value().has_value(), i > 0);
      EXPECT_FALSE(values_->RenewLead().ok()) << "everything must be read again";
      ASSERT_TRUE(values_->TakeLead(values_->ReadLead().value(), "a:1").value());
      EXPECT_TRUE(values_->Write(Put(0, "synced", "y")).ok());
    } else {
      EXPECT_EQ(values_->Get(0, "unsynced").value(), absl::StrCat(i));
    }
  }
  EXPECT_TRUE(lost) << "the kernel had all of it every time; make the test more cruel";
}

// A crash took unsynced writes, and the next write comes on a connection that was made afterwards:
// nothing but its answer tells of the loss. The lead must not be kept, or every write would fail
// for as long as this program runs.
TEST_F(PostgresKeyValuesTest, LostWritesCostTheLeadOnANewConnectionToo) {
  ASSERT_TRUE(values_->Write(Put(0, "a", "1"), true).ok());
  ASSERT_TRUE(values_->Write(Put(0, "a", "2"), false).ok());
  server_->Query("UPDATE fpo_written SET written = written - 1");
  server_->Query("DELETE FROM fpo_kv");
  const absl::Status lost = values_->Write(Put(0, "a", "3"), true);
  EXPECT_EQ(ReasonOf(lost), ErrorReason::kNotLeader) << lost;
  EXPECT_EQ(ReasonOf(values_->RenewLead()), ErrorReason::kNotLeader);
  ASSERT_TRUE(values_->TakeLead(values_->ReadLead().value(), "a:1").value());
  EXPECT_TRUE(values_->Write(Put(0, "a", "4"), true).ok());
}

TEST_F(PostgresKeyValuesTest, AServerThatIsAwayIsAnErrorThatNothingWasDone) {
  ASSERT_TRUE(values_->Write(Put(0, "a", "1")).ok());
  server_->Stop("fast");
  const absl::Status away = values_->Write(Put(0, "b", "2"));
  EXPECT_FALSE(away.ok());
  server_->Start();
  // Either it was never sent, and the lead is kept, or that is not known, and the lead is lost.
  if (ReasonOf(away) == ErrorReason::kNotLeader) {
    EXPECT_FALSE(values_->RenewLead().ok());
  } else {
    EXPECT_TRUE(values_->Write(Put(0, "b", "3")).ok());
  }
  EXPECT_NE(values_->Get(0, "b").value(), "2");
}

TEST_F(PostgresKeyValuesTest, ScanAllSeesOneMoment) {
  ASSERT_TRUE(values_->Write(Put(1, "a", "1")).ok());
  ASSERT_TRUE(values_->Write(Put(2, "b", "2")).ok());
  std::string seen;
  ASSERT_TRUE(values_
                  ->ScanAll([&](int family, absl::string_view key, absl::string_view value) {
                    EXPECT_TRUE(values_->Write(Put(2, "b", "later")).ok());
                    EXPECT_TRUE(values_->Write(Put(3, "c", "later")).ok());
                    absl::StrAppend(&seen, family, key, value, " ");
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(seen, "1a1 2b2 ");
  EXPECT_FALSE(values_->IsEmpty().value());
}

TEST_F(PostgresKeyValuesTest, ThePasswordIsReadFromAFile) {
  testing::TempFolder folder;
  testing::WriteWhole(folder / "password", "geheim\n");
  PostgresOptions options;
  options.address = server_->Url();
  options.password_file = folder / "password";
  EXPECT_TRUE(PostgresKeyValues::Open(options).ok());  // this server trusts everybody
  options.password_file = folder / "none";
  const auto missing = PostgresKeyValues::Open(options);
  EXPECT_TRUE(absl::IsNotFound(missing.status())) << missing.status();
}

}  // namespace
}  // namespace fpo
