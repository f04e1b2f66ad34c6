#include "ctl/show/human.h"

#include <cmath>

#include "gtest/gtest.h"

namespace fpo::ctl {
namespace {

TEST(HumanTest, CountsHaveThousands) {
  EXPECT_EQ(HumanCount(0), "0");
  EXPECT_EQ(HumanCount(999), "999");
  EXPECT_EQ(HumanCount(1204), "1,204");
  EXPECT_EQ(HumanCount(-1234567), "-1,234,567");
}

TEST(HumanTest, BytesUseBinaryUnits) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(1536), "1.5 KiB");
  EXPECT_EQ(HumanBytes(200.0 * 1024 * 1024), "200 MiB");
  EXPECT_EQ(HumanBytes(3.0 * 1024 * 1024 * 1024), "3.0 GiB");
}

TEST(HumanTest, OperationsUseDecimalUnits) {
  EXPECT_EQ(HumanFlops(12), "12 FLOP");
  EXPECT_EQ(HumanFlops(3.24e15), "3.2 PFLOP");
  EXPECT_EQ(HumanFlops(999.96e9), "1.0 TFLOP");
  EXPECT_EQ(HumanFlops(4e24), "4000 ZFLOP");
}

TEST(HumanTest, DurationsKeepTwoUnits) {
  EXPECT_EQ(HumanDuration(absl::Milliseconds(420)), "0.4s");
  EXPECT_EQ(HumanDuration(absl::Seconds(12)), "12s");
  EXPECT_EQ(HumanDuration(absl::Seconds(192)), "3m12s");
  EXPECT_EQ(HumanDuration(absl::Minutes(125)), "2h05m");
  EXPECT_EQ(HumanDuration(absl::Hours(76)), "3d4h");
  EXPECT_EQ(HumanDuration(absl::Seconds(-3)), "0.0s");
  EXPECT_EQ(HumanDuration(absl::InfiniteDuration()), "-");
  EXPECT_EQ(HumanDuration(std::nullopt), "-");
}

TEST(HumanTest, NumbersKeepTheirMagnitude) {
  EXPECT_EQ(HumanNumber(0.63214), "0.6321");
  EXPECT_EQ(HumanNumber(-41.257), "-41.26");
  EXPECT_EQ(HumanNumber(512.34), "512.3");
  EXPECT_EQ(HumanNumber(0), "0.0000");
  EXPECT_EQ(HumanNumber(1.2e-5), "1.2e-05");
  EXPECT_EQ(HumanNumber(std::nan("")), "nan");
  EXPECT_EQ(HumanNumber(-INFINITY), "-inf");
  EXPECT_EQ(HumanNumber(std::nullopt), "-");
}

TEST(HumanTest, PercentIsNeverRoundedToTheEnds) {
  EXPECT_EQ(HumanPercent(2400, 2400), "100 %");
  EXPECT_EQ(HumanPercent(2399, 2400), "99 %");
  EXPECT_EQ(HumanPercent(1, 2400), "<1 %");
  EXPECT_EQ(HumanPercent(0, 2400), "0 %");
  EXPECT_EQ(HumanPercent(0, 0), "-");
}

TEST(HumanTest, TimesAreLocal) {
  const absl::Time time = absl::FromUnixSeconds(1738332191);
  const absl::TimeZone zone = absl::FixedTimeZone(3600);
  EXPECT_EQ(LocalTime(time, zone), "2025-01-31 15:03:11");
  EXPECT_EQ(LocalTime(std::nullopt, zone), "-");
}

}  // namespace
}  // namespace fpo::ctl
