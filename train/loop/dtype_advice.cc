#include "train/loop/dtype_advice.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace fpo::train {
namespace {

constexpr double kClearlySlower = 1.5;
// Seconds: long enough to measure only once, and too long to be the making of a kernel.
constexpr double kLongEnough = 0.02;
constexpr double kNoKernelTakes = 0.2;

double Product(const at::Tensor& a, const at::Tensor& b) {
  const absl::Time start = absl::Now();
  at::mm(a, b);
  return absl::ToDoubleSeconds(absl::Now() - start);
}

// The first product also makes kernels, which takes longer than a fast one itself.
double BestProduct(at::ScalarType dtype) {
  const at::Tensor a = at::ones({128, 512}, dtype), b = at::ones({512, 1024}, dtype);
  double seconds = Product(a, b);
  if (seconds < kNoKernelTakes) seconds = Product(a, b);
  for (int repeat = 0; repeat < 3 && seconds < kLongEnough; ++repeat) {
    seconds = std::min(seconds, Product(a, b));
  }
  return seconds;
}

}  // namespace

ProductSeconds MeasureProducts() {
  const at::NoGradGuard no_grad;
  return {BestProduct(at::kBFloat16), BestProduct(at::kFloat)};
}

std::string DtypeAdvice(const ProductSeconds& measured) {
  if (measured.float32 <= 0) return "";
  const double factor = measured.bfloat16 / measured.float32;
  if (factor < kClearlySlower) return "";
  return absl::StrFormat(
      "bfloat16 is slow on this CPU: a matrix product takes %.1f times as long as in float32 "
      "(measured just now); with model.dtype: float32 (--set model.dtype=float32) the job runs "
      "faster here, with twice the memory for weights",
      factor);
}

void WarnOfSlowDtype(const std::string& dtype, c10::Device device, EventSink& events) {
  if (dtype != "bfloat16" || !device.is_cpu()) return;
  const std::string advice = DtypeAdvice(MeasureProducts());
  if (!advice.empty()) events.Emit(WarningEvent(advice));
}

}  // namespace fpo::train
