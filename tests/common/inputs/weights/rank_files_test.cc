#include "common/inputs/weights/rank_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RankFilesTest : public ::testing::Test {
 protected:
  void Put(const std::string& name) { std::ofstream(folder_ / name) << "x"; }
  testing::TempFolder folder_;
};

TEST_F(RankFilesTest, AreFoundInTheOrderOfTheirRanks) {
  for (int rank = 11; rank >= 0; --rank) Put(RankFileName("model", rank, 12));
  Put("optimizer-rank-0-of-2.safetensors");
  const std::vector<std::string> found = RankFilesIn(folder_.path(), "model");
  ASSERT_EQ(found.size(), 12u);
  EXPECT_EQ(found[2], folder_ / "model-rank-2-of-12.safetensors");
  EXPECT_EQ(found[11], folder_ / "model-rank-11-of-12.safetensors");
  EXPECT_TRUE(HasRankFile(folder_.path(), "optimizer"));
  EXPECT_FALSE(HasRankFile(folder_.path(), "adapter"));
}

TEST_F(RankFilesTest, OneIsMissingOrOfAnotherWorld) {
  EXPECT_THAT(RankFilesIn(folder_.path(), "model"), IsEmpty());
  EXPECT_THAT(RankFilesIn(folder_ / "none", "model"), IsEmpty());
  Put("model-rank-1-of-2.safetensors");
  EXPECT_THAT(RankFilesIn(folder_.path(), "model"), IsEmpty());
  EXPECT_TRUE(HasRankFile(folder_.path(), "model"));
  Put("model-rank-0-of-2.safetensors");
  EXPECT_THAT(RankFilesIn(folder_.path(), "model"),
              ElementsAre(folder_ / "model-rank-0-of-2.safetensors",
                          folder_ / "model-rank-1-of-2.safetensors"));
  Put("model-rank-0-of-3.safetensors");
  EXPECT_THAT(RankFilesIn(folder_.path(), "model"), IsEmpty());
}

TEST_F(RankFilesTest, OtherNamesAreNotTheirs) {
  for (const char* name :
       {"model-rank-2-of-2.safetensors", "model-rank--1-of-2.safetensors",
        "model-rank-01-of-2.safetensors", "model-rank-0-of-99999.safetensors",
        "model-rank-0-of-2.safetensors.tmp", "model-00001-of-00002.safetensors",
        "model-rank-x-of-2.safetensors", "model-rank-1.safetensors", "model.safetensors"}) {
    Put(name);
  }
  EXPECT_FALSE(HasRankFile(folder_.path(), "model"));
}

}  // namespace
}  // namespace fpo
