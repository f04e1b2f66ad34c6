#include "common/rocksdb/rocksdb_status.h"

#include "gmock/gmock.h"

namespace fpo {
namespace {

TEST(RocksdbStatus, MapsEachKind) {
  EXPECT_TRUE(FromRocksStatus(rocksdb::Status::OK(), "x").ok());
  EXPECT_TRUE(absl::IsNotFound(FromRocksStatus(rocksdb::Status::NotFound(), "x")));
  EXPECT_TRUE(absl::IsDataLoss(FromRocksStatus(rocksdb::Status::Corruption("bad"), "x")));
  EXPECT_TRUE(absl::IsResourceExhausted(FromRocksStatus(rocksdb::Status::NoSpace("full"), "x")));
  EXPECT_TRUE(absl::IsUnavailable(FromRocksStatus(rocksdb::Status::IOError("read"), "x")));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      FromRocksStatus(rocksdb::Status::IOError("lock hold by current process"), "x")));
  EXPECT_TRUE(absl::IsInvalidArgument(FromRocksStatus(rocksdb::Status::InvalidArgument("o"), "x")));
  EXPECT_TRUE(absl::IsInternal(FromRocksStatus(rocksdb::Status::Incomplete("o"), "x")));
}

TEST(RocksdbStatus, SaysWhatWasTried) {
  const absl::Status status = FromRocksStatus(rocksdb::Status::IOError("broken"), "open /data");
  EXPECT_THAT(std::string(status.message()), ::testing::StartsWith("open /data: "));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("broken"));
}

}  // namespace
}  // namespace fpo
