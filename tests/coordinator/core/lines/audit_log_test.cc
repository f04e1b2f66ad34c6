#include "coordinator/core/lines/audit_log.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

AuditEntry EntryOf(const std::string& who, const std::string& target, absl::Duration after) {
  return {.time = kStart + after, .who = who, .method = "CancelJob", .target = target};
}

TEST(AuditLogTest, FindsByCallerTargetAndTimeNewestFirst) {
  MemoryJobStore store;
  const auto log = AuditLog::Open(&store).value();
  log->Add(EntryOf("ana", "j-1", absl::Seconds(1)));
  log->Add(EntryOf("bob", "j-1", absl::Seconds(2)));
  log->Add(EntryOf("ana", "j-2", absl::Seconds(3)));
  const auto cursors = [&](const AuditFilter& filter) {
    std::vector<uint64_t> found;
    const std::vector<AuditEntry> entries = log->Read(filter).value();
    for (const AuditEntry& entry : entries) found.push_back(entry.cursor);
    return found;
  };
  using Cursors = std::vector<uint64_t>;
  EXPECT_EQ(cursors({}), (Cursors{3, 2, 1}));
  EXPECT_EQ(cursors({.who = "ana"}), (Cursors{3, 1}));
  EXPECT_EQ(cursors({.target = "j-1"}), (Cursors{2, 1}));
  EXPECT_EQ(cursors({.since = kStart + absl::Seconds(2)}), (Cursors{3, 2}));
  EXPECT_EQ(cursors({.before = 3, .limit = 1}), (Cursors{2}));
}

TEST(AuditLogTest, GoesOnWhereItStoppedAndKeepsTheNewest) {
  MemoryJobStore store;
  { AuditLog::Open(&store).value()->Add(EntryOf("ana", "j-1", absl::ZeroDuration())); }
  const auto log = AuditLog::Open(&store, /*keep=*/1500).value();
  for (int i = 0; i < 2999; ++i) log->Add(EntryOf("bob", "j-2", absl::ZeroDuration()));
  const std::vector<AuditEntry> all = log->Read({.limit = 100'000}).value();
  EXPECT_EQ(all.front().cursor, 3000u);
  EXPECT_EQ(all.back().cursor, 1501u);
}

TEST(AuditLogTest, AFullStoreLosesTheEntryAndNothingElse) {
  MemoryJobStore store;
  const auto log = AuditLog::Open(&store).value();
  store.FailWrites(absl::ResourceExhaustedError("full"));
  log->Add(EntryOf("ana", "j-1", absl::ZeroDuration()));
  store.FailWrites(absl::OkStatus());
  log->Add(EntryOf("ana", "j-2", absl::ZeroDuration()));
  log->Flush(kStart);
  ASSERT_EQ(log->Read({}).value().size(), 1u);
  EXPECT_EQ(log->Read({}).value()[0].target, "j-2");
}

TEST(AuditLogTest, WhatACallerWroteIsCut) {
  MemoryJobStore store;
  const auto log = AuditLog::Open(&store).value();
  log->Add(EntryOf(std::string(100'000, 'x'), "j-1", absl::ZeroDuration()));
  EXPECT_LT(log->Read({}).value()[0].who.size(), 600u);
}

TEST(AuditLogTest, StrangersPushNothingOut) {
  MemoryJobStore store;
  const auto log = AuditLog::Open(&store, /*keep=*/1500).value();
  log->Add(EntryOf("ana", "j-1", absl::ZeroDuration()));
  for (int i = 0; i < 5000; ++i) {
    AuditEntry entry = EntryOf(absl::StrCat("ipv4:10.0.0.7:", i), "j-9", absl::Seconds(1));
    log->AddRefused(std::move(entry), /*known=*/false);
    log->AddRefused(EntryOf("bob", "j-9", absl::Seconds(1)), /*known=*/true);
  }
  EXPECT_EQ(log->Read({.who = "ana"}).value().size(), 1u);
  EXPECT_EQ(log->Read({.limit = 10'000}).value().size(),
            1u + AuditLog::kUnknownMax + AuditLog::kRefusedMax);
  log->Flush(kStart + absl::Hours(2));
  const std::vector<AuditEntry> sums = log->Read({.limit = 2}).value();
  EXPECT_NE(sums[1].detail.find("4900 more such calls"), std::string::npos) << sums[1].detail;
  EXPECT_EQ(sums[0].who, "ipv4:10.0.0.7");
  EXPECT_EQ(sums[1].who, "bob");
}

}  // namespace
}  // namespace fpo::coordinator
