#include "train/nf4/nf4_rows.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

// 100 numbers: a whole block of 64, and a part of one.
TEST(Nf4Rows, AShareWritesItsBlocksAlone) {
  std::vector<float> weights(100);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i) - 30;
  std::vector<uint8_t> codes(50, 0xEE);
  std::vector<float> absmax(2, -1), out(100, -7);
  ASSERT_TRUE(PackNf4(weights.data(), {1, 2, 64, 100}, codes.data(), absmax.data()));
  EXPECT_EQ(absmax, (std::vector<float>{-1, 69}));
  EXPECT_EQ(codes[31], 0xEE);
  EXPECT_EQ(codes[49], 0xFF);  // 68 and 69 of 69
  WriteNf4(codes.data(), absmax.data(), {1, 2, 64, 100}, out.data());
  EXPECT_EQ(out[63], -7);
  EXPECT_EQ(out[99], 69);
}

TEST(Nf4Rows, AnOddLastWeightHasAByteOfItsOwn) {
  const std::vector<float> weights = {1, -1, 0.5F};
  std::vector<uint8_t> codes(2);
  float absmax = 0;
  ASSERT_TRUE(PackNf4(weights.data(), {0, 1, 64, 3}, codes.data(), &absmax));
  std::vector<double> out(4, 9);
  WriteNf4(codes.data(), &absmax, {0, 1, 64, 3}, out.data());
  EXPECT_EQ(out[0], 1);
  EXPECT_EQ(out[1], -1);
  EXPECT_NEAR(out[2], 0.5, 0.07);
  EXPECT_EQ(out[3], 9);
}

TEST(Nf4Rows, MagnitudesTakeTheNearestOfTheMap) {
  std::vector<float> map(256);
  for (int i = 0; i < 256; ++i) map[static_cast<size_t>(i)] = static_cast<float>(i - 128) / 127;
  const std::vector<float> values = {2, -2, 0.9F * 2 / 127};
  std::vector<uint8_t> codes(3);
  float largest = 0;
  CodeMagnitudes({values.data(), map.data()}, {0, 1, 256, 3}, codes.data(), &largest);
  EXPECT_EQ(largest, 2);
  EXPECT_EQ(codes, (std::vector<uint8_t>{255, 1, 129}));
}

TEST(Nf4Rows, BFloat16IsRoundedToTheNearest) {
  const std::vector<uint8_t> codes = {0xE1};
  const std::vector<float> absmax = {1};
  std::vector<uint16_t> out(2);
  WriteNf4AsBFloat16(codes.data(), absmax.data(), {0, 1, 64, 2}, out.data());
  EXPECT_EQ(out, (std::vector<uint16_t>{0x3F39, 0xBF32}));  // 0.72266, -0.69531
  // Half way between two: to the even one.
  for (const auto& [value, bits] :
       {std::pair{1.00390625F, 0x3F80}, std::pair{1.01171875F, 0x3F82}}) {
    const uint8_t ones = 0xFF;
    WriteNf4AsBFloat16(&ones, &value, {0, 1, 64, 2}, out.data());
    EXPECT_EQ(out[0], bits) << value;
  }
}

}  // namespace
}  // namespace fpo::train
