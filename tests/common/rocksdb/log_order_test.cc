#include "common/rocksdb/log_order.h"

#include <rocksdb/env.h>

#include "absl/strings/str_format.h"
#include "common/rocksdb/database.h"
#include "gmock/gmock.h"
#include "tests/support/forgetful_file_system.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

class LogOrderTest : public ::testing::Test {
 protected:
  // 000001.log and so on: a write in each but the last.
  void WriteLogs(int count) {
    for (int i = 1; i <= count; ++i) {
      auto& log = logs_.emplace_back();
      const std::string path = folder_ / absl::StrFormat("%06d.log", i);
      ASSERT_TRUE(env_->NewWritableFile(path, &log, {}).ok());
      ASSERT_TRUE(i == count || log->Append("x").ok());
    }
  }

  const testing::TempFolder folder_{"/dev/shm"};
  const std::shared_ptr<testing::ForgetfulFileSystem> files_ =
      std::make_shared<testing::ForgetfulFileSystem>(1);
  const std::unique_ptr<rocksdb::Env> env_ = rocksdb::NewCompositeEnv(files_);
  std::vector<std::unique_ptr<rocksdb::WritableFile>> logs_;
  absl::Status failure_;
  LogOrder order_{env_.get(), folder_.path(), [this](absl::Status error) { failure_ = error; }};
};

TEST_F(LogOrderTest, TheEndedLogIsDurableBeforeTheNextIsWritten) {
  WriteLogs(2);
  order_.OnMemTableSealed({});
  order_.OnMemTableSealed({});  // of another family, at the same end
  ASSERT_TRUE(logs_.back()->Append("x").ok());
  EXPECT_EQ(files_->logs_out_of_order(), 0);
  EXPECT_TRUE(failure_.ok()) << failure_;
}

TEST_F(LogOrderTest, TheFirstLogHasNoneBeforeIt) {
  WriteLogs(1);
  order_.OnMemTableSealed({});
  EXPECT_TRUE(failure_.ok()) << failure_;
}

TEST_F(LogOrderTest, ALogThatCannotBeSyncedIsAnError) {
  WriteLogs(2);
  files_->CutPowerAfter(0);
  order_.OnMemTableSealed({});
  EXPECT_FALSE(failure_.ok());
}

// Each way to a new log: a full buffer, a compaction and an ingestion, with nothing synced before.
TEST_F(LogOrderTest, NoWriteOfAStoreGoesIntoALogBeforeTheLastOneIsDurable) {
  DatabaseOptions options;
  options.path = folder_ / "db";
  options.families = {{.name = "a"}, {.name = "b"}};
  options.free_bytes_min = 0;
  options.free_fraction_min = 0;
  options.write_buffer_bytes = 64 << 10;
  options.env = env_.get();
  const auto database = Database::Open(options);
  ASSERT_TRUE(database.ok()) << database.status();
  for (int i = 0; i < 500; ++i) {
    WriteSet writes;
    for (int family = 0; family < 2; ++family) {
      writes.Put(family, absl::StrFormat("%08d", i), std::string(1000, 'x'));
    }
    ASSERT_TRUE((*database)->Write(writes, /*sync=*/false).ok());
    ASSERT_TRUE(i % 100 != 50 || (*database)->Compact(0, "", "").ok());
    ASSERT_TRUE(i % 100 != 75 || (*database)->Ingest(writes).ok());
  }
  EXPECT_EQ(files_->logs_out_of_order(), 0);
}

}  // namespace
}  // namespace fpo
