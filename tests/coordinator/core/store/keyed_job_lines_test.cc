#include <memory>

#include "coordinator/core/store/job_keys.h"
#include "coordinator/core/store/keyed_job_store.h"
#include "coordinator/core/store/rocksdb_job_store.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/coordinator/core/store/memory_keyed_store.h"
#include "tests/coordinator/core/temp_dir.h"

namespace fpo::coordinator {
namespace {

TEST(KeyedJobLines, ADamagedLineCostsThatLineOnly) {
  fpo::testing::MemoryKeyValues::Spaces spaces;
  auto store = MemoryKeyedStore::Open(&spaces);
  LineWrite write;
  write.sender = {{"j", 1, 1}, "w1"};
  write.position = {3, 3};
  for (uint64_t cursor = 1; cursor <= 3; ++cursor) {
    write.logs.push_back({cursor, 1, 0, LineStream::kStdout, 5, "line " + std::to_string(cursor)});
    write.events.push_back({cursor, 1, 0, "{}"});
    ASSERT_TRUE(store->PutAudit({.cursor = cursor, .method = "Submit"}).ok());
  }
  ASSERT_TRUE(store->PutLines(write).ok());
  spaces[{kLogs, LineKey("j", 2)}] = "?";
  spaces[{kEvents, LineKey("j", 2)}] = "?";
  spaces[{kMeta, LineKey(kAuditJob, 2)}] = "?";

  const std::vector<LogLine> lines = store->ReadLogs("j", {}).value().lines;
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1].cursor, 2u);
  EXPECT_EQ(lines[1].text, "(a line that cannot be read from the store any more)");
  EXPECT_EQ(lines[2].text, "line 3");
  EXPECT_EQ(store->FindTail("j", {}, {.lines_left = 2}).value().after, 1u);
  EXPECT_EQ(store->ReadEvents("j", 0, 10).value().size(), 2u);
  EXPECT_EQ(store->ReadAudit(0, 10).value().size(), 2u);
}

// With the limits that a Logs call has: no read of a long log takes it whole, whatever fits.
TEST(KeyedJobLines, NoReadOfALongLogTakesItWhole) {
  const TempDir dir;
  const auto store = RocksdbJobStore::Open(dir.path()).value();
  constexpr uint64_t kLines = 50'000;
  LineWrite write;
  write.sender = {{"j-1", 1, 1}, "w1"};
  for (uint64_t cursor = 1; cursor <= kLines; ++cursor) {
    write.logs.push_back({cursor, 1, 0, LineStream::kStdout, 5, "a line of the training log"});
  }
  ASSERT_TRUE(store->PutLines(write).ok());
  LogQuery query{.rank = 99};
  int reads = 0;
  for (bool at_end = false; !at_end; ++reads) {
    const LogPage page = store->ReadLogs("j-1", query).value();
    EXPECT_LE(page.after - query.after, 10'000u);
    query.after = page.after;
    at_end = page.at_end;
  }
  EXPECT_GE(reads, 5);
  EXPECT_EQ(query.after, kLines);
  LogTail tail{.lines_left = 1};
  for (reads = 0; !tail.found; ++reads) {
    const uint64_t before = tail.before == 0 ? kLines + 1 : tail.before;
    tail = store->FindTail("j-1", {.rank = 99}, tail).value();
    EXPECT_LE(before - tail.before, 10'000u);
  }
  EXPECT_GE(reads, 5);
}

}  // namespace
}  // namespace fpo::coordinator
