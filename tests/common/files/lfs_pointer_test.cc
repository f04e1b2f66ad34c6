#include "common/files/lfs_pointer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fpo {
namespace {

TEST(LfsPointerTest, NamesThePointerAndTheWayOut) {
  const absl::Status pointer = CheckIsNoLfsPointer(
      "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "/d/x.jsonl");
  EXPECT_TRUE(absl::IsDataLoss(pointer));
  EXPECT_THAT(std::string(pointer.message()), ::testing::HasSubstr("/d/x.jsonl is a Git LFS"));
  EXPECT_THAT(std::string(pointer.message()), ::testing::HasSubstr("git lfs pull"));
  EXPECT_TRUE(CheckIsNoLfsPointer("version 2", "x").ok());
  EXPECT_TRUE(CheckIsNoLfsPointer("", "x").ok());
}

}  // namespace
}  // namespace fpo
