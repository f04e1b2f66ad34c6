#include "common/reference/half_float.h"

#include <cmath>

#include "gtest/gtest.h"

namespace fpo {
namespace {

bool IsNan(uint32_t half) { return (half & 0x7fff) > 0x7c00; }

TEST(HalfFloat, EveryHalfComesBack) {
  for (uint32_t half = 0; half < 0x10000; ++half) {
    const float value = FromHalfBits(static_cast<uint16_t>(half));
    if (IsNan(half)) {
      EXPECT_TRUE(std::isnan(value)) << half;
    } else {
      EXPECT_EQ(HalfBits(value), half);
    }
  }
  EXPECT_EQ(FromHalfBits(0x3c01), 1.0009765625f);
  EXPECT_EQ(FromHalfBits(0x0001), 0x1p-24f);
  EXPECT_EQ(FromHalfBits(0xfbff), -65504.f);
  EXPECT_TRUE(std::isinf(FromHalfBits(0x7c00)));
}

// Between each two halves: below the middle, the middle (to even) and above it.
TEST(HalfFloat, RoundsToTheNearestTiesToEven) {
  for (uint32_t half = 0; half < 0x7c00; ++half) {
    const float low = FromHalfBits(static_cast<uint16_t>(half));
    // The step after the largest half would be 2^16, which stands for every infinity.
    const float high = half == 0x7bff ? 65536.f : FromHalfBits(static_cast<uint16_t>(half + 1));
    const float middle = (low + high) / 2;
    const uint32_t even = half % 2 == 0 ? half : half + 1;
    EXPECT_EQ(HalfBits(std::nextafter(middle, 0.f)), half);
    EXPECT_EQ(HalfBits(middle), even);
    EXPECT_EQ(HalfBits(std::nextafter(middle, 1e9f)), half + 1);
    EXPECT_EQ(HalfBits(-middle), even | 0x8000);
  }
  EXPECT_EQ(HalfBits(1e9f), 0x7c00);
  EXPECT_EQ(HalfBits(-INFINITY), 0xfc00);
  EXPECT_TRUE(IsNan(HalfBits(NAN)));
}

#ifdef __FLT16_MANT_DIG__
TEST(HalfFloat, AgreesWithTheCompiler) {
  uint32_t bits = 1;
  for (int i = 0; i < 1'000'000; ++i) {
    bits = bits * 1664525 + 1013904223;
    const float value = std::bit_cast<float>(bits);
    if (std::isnan(value)) continue;
    EXPECT_EQ(HalfBits(value), std::bit_cast<uint16_t>(static_cast<_Float16>(value))) << value;
  }
}
#endif

}  // namespace
}  // namespace fpo
