#include "train/loop/utilisation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/loop/model_flops.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(Utilisation, DataSheetsAreOfDenseProducts) {
  EXPECT_EQ(DataSheetFlops("NVIDIA H200", at::kBFloat16), 989e12);
  EXPECT_EQ(DataSheetFlops("NVIDIA H200", at::kFloat), 67e12);
  EXPECT_EQ(DataSheetFlops("NVIDIA H100 PCIe", at::kBFloat16), 756e12);
  EXPECT_EQ(DataSheetFlops("NVIDIA A100-SXM4-80GB", at::kFloat), 19.5e12);
}

TEST(Utilisation, WhatIsNotInTheTableHasNoPeak) {
  EXPECT_EQ(DataSheetFlops("NVIDIA H300", at::kBFloat16), std::nullopt);
  EXPECT_EQ(DataSheetFlops("NVIDIA H100", at::kBFloat16), std::nullopt);
  EXPECT_EQ(DataSheetFlops("NVIDIA H100 NVL MIG 2g.24gb", at::kBFloat16), std::nullopt);
  EXPECT_EQ(DataSheetFlops("NVIDIA L40S ", at::kBFloat16), std::nullopt);
  EXPECT_EQ(DataSheetFlops("NVIDIA H200", at::kDouble), std::nullopt);
  EXPECT_EQ(DataSheetFlops("", at::kFloat), std::nullopt);
}

TEST(Utilisation, TwoFractionsUnderTwoNames) {
  EXPECT_THAT(Utilisation(2e12, {8e12, 10e12}),
              ElementsAre(Pair("gemm_fraction", 0.25), Pair("mfu", 0.2)));
  EXPECT_THAT(Utilisation(2e12, {8e12, std::nullopt}), ElementsAre(Pair("gemm_fraction", 0.25)));
}

TEST(Utilisation, OnlyAGpuMissesADataSheet) {
  const PeakFlops cpu = PeakFlopsOf(at::kCPU, at::kFloat);
  EXPECT_EQ(cpu.measured, MeasuredPeakFlops(at::kCPU, at::kFloat));
  EXPECT_EQ(cpu.data_sheet, std::nullopt);
  EXPECT_EQ(MissingDataSheet(at::kCPU, cpu), "");
  EXPECT_THAT(MissingDataSheet(at::Device(at::kCUDA, 0), {1e12, std::nullopt}),
              HasSubstr("gemm_fraction"));
  EXPECT_EQ(MissingDataSheet(at::Device(at::kCUDA, 0), {1e12, 2e12}), "");
}

}  // namespace
}  // namespace fpo::train
