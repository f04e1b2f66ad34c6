// The machine loses its power in the middle of writes, flushes, compactions and ingestions: what
// was acknowledged as durable is there afterwards, and nothing is half there. The file system is
// simulated; FPO_POWER_CUTS sets how often, FPO_TEST_SEED repeats a run but for what RocksDB's own
// threads do meanwhile.
#include <rocksdb/env.h>

#include <cstdlib>
#include <iostream>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/rocksdb/database.h"
#include "gtest/gtest.h"
#include "tests/support/forgetful_file_system.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

int64_t NumberFrom(const char* variable, int64_t fallback) {
  const char* text = getenv(variable);
  return text == nullptr ? fallback : std::atoll(text);
}

class PowerCutTest : public ::testing::Test {
 protected:
  PowerCutTest() {
    std::cout << "FPO_TEST_SEED=" << seed_ << std::endl;
    options_.path = folder_ / "db";
    options_.families = {{.name = "a"},
                         {.name = "b", .profile = FamilyProfile::kBulk},
                         {.name = "c", .profile = FamilyProfile::kText}};
    options_.free_bytes_min = 0;
    options_.free_fraction_min = 0;
    options_.write_buffer_bytes = 64 << 10;  // flushes are frequent
    options_.env = env_.get();
  }
  uint64_t Below(uint64_t bound) { return random_() % bound; }

  // Entry i, in every family.
  static WriteSet EntryOf(int64_t i) {
    WriteSet writes;
    for (int family = 0; family < 3; ++family) writes.Put(family, KeyOf(i), ValueOf(i, family));
    return writes;
  }
  static std::string KeyOf(int64_t i) { return absl::StrFormat("%08d", i); }
  static std::string ValueOf(int64_t i, int family) {
    return absl::StrCat(family, "/", i, std::string(static_cast<size_t>(i * 37 % 900), 'x'));
  }

  // The entries that are there, each whole and in every family.
  std::set<int64_t> Read() {
    std::set<int64_t> entries[3];
    for (int family = 0; family < 3; ++family) {
      const auto visit = [&](absl::string_view key, absl::string_view value) {
        const int64_t i = std::atoll(std::string(key).c_str());
        EXPECT_EQ(value, ValueOf(i, family));
        entries[family].insert(i);
        return true;
      };
      EXPECT_TRUE(database_->Scan(family, "", "", visit).ok());
    }
    EXPECT_EQ(entries[0], entries[1]) << "a group of writes is all there or not at all";
    EXPECT_EQ(entries[0], entries[2]);
    return entries[0];
  }
  void Open() {
    auto database = Database::Open(options_);
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
    EXPECT_EQ(database_->repairs(), 0) << "a power cut is no damage";
  }
  void Reboot() {
    database_.reset();
    files_->Reboot();
    ++cuts_;
  }

  const uint64_t seed_ = static_cast<uint64_t>(NumberFrom("FPO_TEST_SEED", 20261128));
  const int64_t cuts_wanted_ = NumberFrom("FPO_POWER_CUTS", 6);
  std::mt19937_64 random_{seed_};
  const testing::TempFolder folder_{"/dev/shm"};
  const std::shared_ptr<testing::ForgetfulFileSystem> files_ =
      std::make_shared<testing::ForgetfulFileSystem>(seed_);
  const std::unique_ptr<rocksdb::Env> env_ = rocksdb::NewCompositeEnv(files_);
  DatabaseOptions options_;
  std::unique_ptr<Database> database_;
  int64_t cuts_ = 0;
};

// As the coordinator's store: some writes wait for the disk, the lines between them do not.
TEST_F(PowerCutTest, WhatIsLeftIsAPrefixWithAllThatWasDurable) {
  int64_t durable = 0;  // entries below it
  int64_t lost = 0;
  while (cuts_ < cuts_wanted_) {
    ASSERT_NO_FATAL_FAILURE(Open());
    const std::set<int64_t> there = Read();
    int64_t next = static_cast<int64_t>(there.size());
    ASSERT_TRUE(there.empty() || *there.rbegin() == next - 1) << "a hole";
    ASSERT_GE(next, durable) << "lost what was durable";
    files_->CutPowerAfter(static_cast<int64_t>(1 + Below(600)));
    const int64_t first = next;
    for (;; ++next) {
      const bool sync = Below(3) == 0;
      if (!database_->Write(EntryOf(next), sync).ok()) break;
      if (sync) durable = next + 1;
      if (Below(60) == 0) (void)database_->Compact(static_cast<int>(Below(3)), "", "");
    }
    lost += next - std::max(durable, first);
    Reboot();
  }
  std::cout << cuts_ << " power cuts, " << durable << " durable entries: all there; " << lost
            << " others were not promised" << std::endl;
}

// As the cache's store: everything is durable before it is acknowledged, much of it in sorted
// files.
TEST_F(PowerCutTest, WhatWasAcknowledgedIsThereAlsoFromSortedFiles) {
  std::set<int64_t> acknowledged;
  int64_t next = 0;
  while (cuts_ < cuts_wanted_) {
    ASSERT_NO_FATAL_FAILURE(Open());
    const std::set<int64_t> there = Read();
    for (const int64_t i : acknowledged) ASSERT_EQ(there.count(i), 1u) << "entry " << i;
    files_->CutPowerAfter(static_cast<int64_t>(1 + Below(600)));
    for (;;) {
      WriteSet writes;
      const int64_t count = static_cast<int64_t>(1 + Below(20));
      for (int64_t i = next; i < next + count; ++i) {
        for (int family = 0; family < 3; ++family) writes.Put(family, KeyOf(i), ValueOf(i, family));
      }
      const absl::Status status =
          Below(3) == 0 ? database_->Ingest(writes) : database_->Write(writes);
      next += count;  // those of a call that failed may be there or not
      if (!status.ok()) break;
      for (int64_t i = next - count; i < next; ++i) acknowledged.insert(i);
      if (Below(60) == 0) (void)database_->Compact(static_cast<int>(Below(3)), "", "");
    }
    Reboot();
  }
  std::cout << cuts_ << " power cuts, " << acknowledged.size() << " acknowledged entries: all there"
            << std::endl;
}

}  // namespace
}  // namespace fpo
