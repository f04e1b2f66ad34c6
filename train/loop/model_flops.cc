#include "train/loop/model_flops.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "train/data/context_id.h"
#include "train/ops/fast_paths.h"
#include "train/ops/product.h"

namespace fpo::train {
namespace {

// Number of (query, key) pairs that attention sees over a sequence.
double SeenPairs(double length, double window) {
  const double ramp = std::min(length, window);
  return ramp * (ramp + 1) / 2 + (length > ramp ? (length - ramp) * window : 0);
}

double TimeProduct(const at::Tensor& a, const at::Tensor& b) {
  const absl::Time start = absl::Now();
  MatrixProduct(a, b).view(-1)[0].item<float>();  // waits for an asynchronous device
  return absl::ToDoubleSeconds(absl::Now() - start);
}

// One forward pass of some rows.
struct ForwardWork {
  double rows = 0;       // that keys and values are computed for
  double read_rows = 0;  // whose results the last block computes
  double head_rows = 0;
  // (query, key) pairs that a layer with this window sees, of all rows and of those that are read.
  std::function<double(double window)> seen, seen_by_read;
};

double FlopsOf(const GemmaConfig& config, const ForwardWork& work) {
  const double d = static_cast<double>(config.hidden_size);
  const double queries = static_cast<double>(config.heads * config.head_dim);
  const double keys = static_cast<double>(config.kv_heads * config.head_dim);
  const double of_key = 2 * 2 * d * keys;  // per row
  const double of_query =
      2 * (2 * d * queries + 3 * d * static_cast<double>(config.intermediate_size));
  double total = 2 * d * static_cast<double>(config.vocab_size) * work.head_rows;
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const double window = config.sliding[layer] ? static_cast<double>(config.sliding_window)
                                                : std::numeric_limits<double>::infinity();
    const bool last = layer + 1 == config.layers;
    total += of_key * work.rows + of_query * (last ? work.read_rows : work.rows) +
             4 * queries * (last ? work.seen_by_read : work.seen)(window);
  }
  return total;
}

ForwardWork WorkOf(const std::vector<Sequence>& sequences) {
  ForwardWork work;
  for (const Sequence& sequence : sequences) {
    work.rows += static_cast<double>(sequence.length());
    work.head_rows += static_cast<double>(ScoredTokens(sequence.response));
  }
  work.read_rows = work.rows;
  work.seen = [&sequences](double window) {
    double pairs = 0;
    for (const Sequence& sequence : sequences) {
      pairs += SeenPairs(static_cast<double>(sequence.length()), window);
    }
    return pairs;
  };
  work.seen_by_read = work.seen;
  return work;
}

ForwardWork WorkOf(const PackedLayout& layout) {
  ForwardWork work;
  work.rows = static_cast<double>(layout.rows);
  work.read_rows = static_cast<double>(layout.kept_rows);
  const auto seen = [&layout](bool of_prompts, double window) {
    double pairs = 0;
    for (const PackedGroup& group : layout.groups) {
      const double prompt = static_cast<double>(group.prompt);
      const double before = SeenPairs(prompt, window);
      pairs += of_prompts ? before : before - SeenPairs(prompt - 1, window);
      for (const int64_t response : group.responses) {
        pairs += SeenPairs(prompt + static_cast<double>(response), window) - before;
      }
    }
    return pairs;
  };
  work.seen = [seen](double window) { return seen(true, window); };
  work.seen_by_read = [seen](double window) { return seen(false, window); };
  return work;
}

}  // namespace

double ForwardFlops(const GemmaConfig& config, const std::vector<Sequence>& sequences) {
  return FlopsOf(config, WorkOf(sequences));
}

double TrainingFlops(const GemmaConfig& config, const SequenceBatch& batch,
                     const std::vector<Sequence>& sequences) {
  const PackedLayout* const layout = batch.parts.front().layout.get();
  if (layout == nullptr) return TrainingFlops(config, sequences);
  ForwardWork work = WorkOf(*layout);
  work.head_rows = static_cast<double>(batch.rows);
  return 3 * FlopsOf(config, work);
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
  const auto seconds = [&](int64_t side) {
    const at::Tensor a = all.narrow(0, 0, side).narrow(1, 0, side).contiguous();
    return TimeProduct(a, a);
  };
  if (KernelsOf(all) != nullptr) {  // oneDNN makes its kernels then, which may take long
    for (const int64_t side : sides) seconds(side);
  }
  peak = MeasureRate(sides, seconds);
  return peak;
}

}  // namespace fpo::train
