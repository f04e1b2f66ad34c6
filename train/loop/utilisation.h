#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace fpo::train {

// Operations per second that a data sheet states for dense matrix products of bfloat16 with float32
// sums, or of float32 without TF32. None for a device that is not in the table, or only a part of
// one (MIG), and for other dtypes.
std::optional<double> DataSheetFlops(absl::string_view device_name, at::ScalarType dtype);

// What a device can compute in a second.
struct PeakFlops {
  double measured = 0;  // see MeasuredPeakFlops
  std::optional<double> data_sheet = {};
};
PeakFlops PeakFlopsOf(at::Device device, at::ScalarType dtype);

// `gemm_fraction` of the measured product, and `mfu` of the data sheet where there is one.
std::map<std::string, double> Utilisation(double flops_per_second, const PeakFlops& peak);

// Why there will be no `mfu` on a GPU; empty when there will be, and on the CPU, which has no
// data sheet.
std::string MissingDataSheet(at::Device device, const PeakFlops& peak);

}  // namespace fpo::train
