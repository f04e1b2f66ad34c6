#include "train/loop/model_flops.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace fpo::train {
namespace {

// Number of (query, key) pairs that attention sees over a sequence.
double SeenPairs(double length, double window) {
  const double ramp = std::min(length, window);
  return ramp * (ramp + 1) / 2 + (length - ramp) * window;
}

double TimeProduct(const at::Tensor& a, const at::Tensor& b) {
  const absl::Time start = absl::Now();
  at::mm(a, b).view(-1)[0].item<float>();  // waits for an asynchronous device
  return absl::ToDoubleSeconds(absl::Now() - start);
}

}  // namespace

double ForwardFlops(const GemmaConfig& config, const std::vector<Sequence>& sequences) {
  const double d = static_cast<double>(config.hidden_size);
  const double queries = static_cast<double>(config.heads * config.head_dim);
  const double keys = static_cast<double>(config.kv_heads * config.head_dim);
  const double mlp = 3 * d * static_cast<double>(config.intermediate_size);
  const double block = 2 * (2 * d * queries + 2 * d * keys + mlp);  // per token
  double total = 0;
  for (const Sequence& sequence : sequences) {
    const double length = static_cast<double>(sequence.length());
    for (int64_t layer = 0; layer < config.layers; ++layer) {
      const double window =
          config.sliding[layer] ? static_cast<double>(config.sliding_window) : length;
      total += block * length + 4 * queries * SeenPairs(length, window);
    }
    total += 2 * d * static_cast<double>(config.vocab_size) *
             static_cast<double>(sequence.response.size());
  }
  return total;
}

double TrainingFlops(const GemmaConfig& config, const std::vector<Sequence>& sequences) {
  return 3 * ForwardFlops(config, sequences);
}

double MeasureRate(const std::vector<int64_t>& sides,
                   const std::function<double(int64_t side)>& seconds) {
  constexpr double kMeasuredOnce = 0.02;  // seconds: is then exact
  constexpr double kMadeKernels = 0.2;
  double rate = 0;
  for (const int64_t side : sides) {
    double best = seconds(side);  // the first one also makes kernels
    if (best < kMadeKernels) best = seconds(side);
    for (int repeat = 0; repeat < 3 && best < kMeasuredOnce; ++repeat) {
      best = std::min(best, seconds(side));
    }
    const double n = static_cast<double>(side);
    rate = std::max(rate, 2 * n * n * n / best);
    if (best >= kMeasuredOnce) break;
  }
  return rate;
}

double MeasuredPeakFlops(at::Device device, at::ScalarType dtype) {
  static std::mutex mutex;
  static std::map<std::pair<at::DeviceType, at::ScalarType>, double> measured;
  const std::lock_guard<std::mutex> lock(mutex);
  double& peak = measured[{device.type(), dtype}];
  if (peak > 0) return peak;
  const at::NoGradGuard no_grad;
  const std::vector<int64_t> sides =
      device.is_cuda() ? std::vector<int64_t>{8192} : std::vector<int64_t>{256, 512, 1024};
  // Random numbers: a device runs a product of equal ones faster than it ever trains.
  const at::Tensor all = at::empty({sides.back(), sides.back()}, at::kFloat)
                             .normal_(0, 1, at::detail::createCPUGenerator(1))
                             .to(device, dtype);
  peak = MeasureRate(sides, [&](int64_t side) {
    const at::Tensor a = all.narrow(0, 0, side).narrow(1, 0, side).contiguous();
    return TimeProduct(a, a);
  });
  return peak;
}

}  // namespace fpo::train
