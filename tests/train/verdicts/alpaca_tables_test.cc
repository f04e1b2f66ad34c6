#include "train/verdicts/alpaca_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kHeader[] =
    "model,index,instruction_difficulty,std_delta_len,preference,not_gamed_baseline\n";

class AlpacaTablesTest : public ::testing::Test {
 protected:
  std::string Calibration(const std::string& rows) {
    return folder_.Put("df_gamed.csv", kHeader + rows);
  }
  std::string ErrorOf(const std::string& rows) {
    return std::string(ReadAlpacaCalibration(Calibration(rows)).status().message());
  }
  ScratchFolder folder_;
};

TEST_F(AlpacaTablesTest, DifficultiesStandInTheOrderOfTheInstructions) {
  const auto read = ReadAlpacaCalibration(
      Calibration("v,1,-0.5,-1,0.25,False\nv,0,2,0.5,1,False\nc,0,2,1,0,False\n"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->difficulties, ElementsAre(2, -0.5));
  ASSERT_EQ(read->gamed.size(), 3u);
  EXPECT_EQ(read->gamed[0].preference, 0.25);
  EXPECT_EQ(read->gamed[0].standard_difference, -1);
  EXPECT_EQ(read->gamed[0].difficulty, -0.5);
  EXPECT_FALSE(read->is_published);
  EXPECT_EQ(read->digest.size(), 64u);
}

TEST_F(AlpacaTablesTest, ErrorsNameFileLineAndColumn) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("has no row"));
  EXPECT_THAT(ErrorOf("v,0,x,0,0,False\n"),
              HasSubstr("df_gamed.csv:2: instruction_difficulty: \"x\" is no finite number"));
  EXPECT_THAT(ErrorOf("v,0,inf,0,0,False\n"), HasSubstr("is no finite number"));
  EXPECT_THAT(ErrorOf("v,0,1,0,0,False\nv,0,2,0,0,False\n"),
              HasSubstr("df_gamed.csv:3: instruction_difficulty: instruction 0 is 2 here and 1"));
  EXPECT_THAT(ErrorOf("v,1,1,0,0,False\n"), HasSubstr("difficulty of instruction 0"));
  EXPECT_THAT(ErrorOf("v,1e9,1,0,0,False\n"), HasSubstr("is no place in a list"));
  EXPECT_THAT(ErrorOf("v,0,1,0,1.5,False\n"), HasSubstr("preference: 1.5 is outside 0 to 1"));
  EXPECT_THAT(ErrorOf("v,0,1,0,1,True\n"), HasSubstr("not_gamed_baseline: it is \"True\""));
  EXPECT_THAT(
      std::string(ReadAlpacaCalibration(folder_.Put("d.csv", "index\n0\n")).status().message()),
      HasSubstr("no column \"instruction_difficulty\""));
}

TEST_F(AlpacaTablesTest, WeightsByModel) {
  const auto weights = ReadLengthControlWeights(folder_.Put(
      "w.csv",
      ",np.tanh(std_delta_len),instruction_difficulty,not_gamed_baseline.astype(float)\n"
      "a,-1.5,0.75,0.25\n\"b, c\",0,0,0\n"));
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->at("a").length, -1.5);
  EXPECT_EQ(weights->at("a").difficulty, 0.75);
  EXPECT_EQ(weights->at("a").model, 0.25);
  EXPECT_EQ(weights->count("b, c"), 1u);
}

}  // namespace
}  // namespace fpo::train
