#include "common/rocksdb/rocksdb_options.h"

#include <rocksdb/cache.h>

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(RocksdbOptions, CheckEverythingAndNeverResumeAlone) {
  const rocksdb::DBOptions options = MakeDbOptions({.path = "x", .write_buffer_bytes = 3 << 20});
  EXPECT_TRUE(options.paranoid_checks);
  EXPECT_TRUE(options.track_and_verify_wals_in_manifest);
  EXPECT_NE(options.file_checksum_gen_factory, nullptr);
  EXPECT_EQ(options.max_bgerror_resume_count, 0);
  EXPECT_EQ(options.db_write_buffer_size, 3u << 20);
}

TEST(RocksdbOptions, FollowTheProfile) {
  const auto cache = rocksdb::NewLRUCache(1 << 20);
  const auto bulk = MakeFamilyOptions(
      {.name = "d", .profile = FamilyProfile::kBulk, .partition_prefix_bytes = 32}, cache);
  EXPECT_EQ(bulk.compression, rocksdb::kNoCompression);
  EXPECT_EQ(bulk.target_file_size_base, 128u << 20);
  EXPECT_NE(bulk.sst_partitioner_factory, nullptr);
  const auto text = MakeFamilyOptions({.name = "l", .profile = FamilyProfile::kText}, cache);
  EXPECT_EQ(text.compression, rocksdb::kLZ4Compression);
  EXPECT_EQ(text.sst_partitioner_factory, nullptr);
}

}  // namespace
}  // namespace fpo
