#include "train/loop/utilisation.h"

#include "absl/strings/str_cat.h"
#include "train/device/device_name.h"
#include "train/loop/model_flops.h"

namespace fpo::train {
namespace {

struct DataSheet {
  absl::string_view name;  // as the driver calls it
  double bfloat16;         // TFLOP/s, dense: half of what a sheet states with sparsity
  double float32;
};

// From NVIDIA's data sheets of the products (A100, A10, A30, A40, H100, H200, GH200, L4, L40, L40S,
// HGX B200 divided by 8), and for the workstation and GeForce cards from the white papers of the
// architectures GA102, AD102 and GB202, rows "with FP32 accumulate".
constexpr DataSheet kDataSheets[] = {
    {"NVIDIA A100-SXM4-40GB", 312, 19.5},
    {"NVIDIA A100-SXM4-80GB", 312, 19.5},
    {"NVIDIA A100-PCIE-40GB", 312, 19.5},
    {"NVIDIA A100 80GB PCIe", 312, 19.5},
    {"NVIDIA A10", 125, 31.2},
    {"NVIDIA A30", 165, 10.3},
    {"NVIDIA A40", 149.7, 37.4},
    {"NVIDIA H100 80GB HBM3", 989, 67},  // SXM
    {"NVIDIA H100 PCIe", 756, 51},
    {"NVIDIA H100 NVL", 835, 60},
    {"NVIDIA H200", 989, 67},  // SXM
    {"NVIDIA H200 NVL", 835, 60},
    {"NVIDIA GH200 480GB", 989, 67},
    {"NVIDIA B200", 2250, 75},
    {"NVIDIA L4", 121, 30.3},
    {"NVIDIA L40", 181, 90.5},
    {"NVIDIA L40S", 362, 91.6},
    {"NVIDIA RTX A6000", 154.8, 38.7},
    {"NVIDIA RTX 6000 Ada Generation", 364.2, 91.1},
    {"NVIDIA GeForce RTX 3090", 71, 35.6},
    {"NVIDIA GeForce RTX 4090", 165.2, 82.6},
    {"NVIDIA GeForce RTX 5090", 209.5, 104.8},
};

}  // namespace

std::optional<double> DataSheetFlops(absl::string_view device_name, at::ScalarType dtype) {
  for (const DataSheet& sheet : kDataSheets) {
    if (sheet.name != device_name) continue;
    if (dtype == at::kBFloat16) return sheet.bfloat16 * 1e12;
    if (dtype == at::kFloat) return sheet.float32 * 1e12;
  }
  return std::nullopt;
}

PeakFlops PeakFlopsOf(at::Device device, at::ScalarType dtype) {
  PeakFlops peak;
  peak.measured = MeasuredPeakFlops(device, dtype);
  if (device.is_cuda()) peak.data_sheet = DataSheetFlops(DeviceName(device), dtype);
  return peak;
}

std::map<std::string, double> Utilisation(double flops_per_second, const PeakFlops& peak) {
  std::map<std::string, double> metrics = {{"gemm_fraction", flops_per_second / peak.measured}};
  if (peak.data_sheet.has_value()) metrics["mfu"] = flops_per_second / *peak.data_sheet;
  return metrics;
}

std::string MissingDataSheet(at::Device device, const PeakFlops& peak) {
  if (!device.is_cuda() || peak.data_sheet.has_value()) return "";
  return absl::StrCat("the peak of ", DeviceName(device), " is not known here: the metrics have ",
                      "gemm_fraction, of a product measured on it, but no mfu");
}

}  // namespace fpo::train
