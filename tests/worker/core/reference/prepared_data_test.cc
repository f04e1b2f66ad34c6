#include "worker/core/reference/prepared_data.h"

#include <filesystem>

#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

TEST(PreparedData, IsCompleteWithAllItsFiles) {
  const std::string folder = ::testing::TempDir() + "/prepared_data_test";
  std::filesystem::remove_all(folder);
  EXPECT_FALSE(IsPrepared(folder, false));
  EXPECT_EQ(PreparedDigest(folder), "");
  std::filesystem::create_directories(folder);
  fpo::testing::WriteWhole(folder + "/train.safetensors", "x");
  EXPECT_FALSE(IsPrepared(folder, false));
  fpo::testing::WriteWhole(folder + "/prepare.json", "{\"digest\": \"a1b2\", \"version\": 1}");
  EXPECT_TRUE(IsPrepared(folder, false));
  EXPECT_FALSE(IsPrepared(folder, true));
  EXPECT_EQ(PreparedDigest(folder), "a1b2");
  fpo::testing::WriteWhole(folder + "/reference.json", "{}");
  fpo::testing::WriteWhole(folder + "/reference.keys", "x");
  EXPECT_TRUE(IsPrepared(folder, true));
  for (const char* odd : {"{}", "{\"digest\": 7}", "torn {"}) {
    fpo::testing::WriteWhole(folder + "/prepare.json", odd);
    EXPECT_EQ(PreparedDigest(folder), "") << odd;
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace fpo::worker
