#pragma once

#include <cstdint>

#include "train/kernels/kernel_set.h"
#include "train/kernels/vector_math.h"

// The vocabulary head's loops over one row of logits.
namespace fpo::train::FPO_KERNELS {

// Elements whose float32 sums are added to a float64 one at a time.
constexpr int64_t kSummed = 64 * kLanes;

// Caps in place; returns the largest logit.
inline float CapLogits(const LogitRow& row) {
  const float inverse = row.cap > 0 ? 1 / row.cap : 0;
  const auto capped = [&](Vec z) { return row.cap > 0 ? Tanh(z * inverse) * row.cap : z; };
  Vec max = Splat(-__builtin_inff());
  int64_t i = 0;
  for (; i + kLanes <= row.count; i += kLanes) {
    const Vec z = capped(Load(row.logits + i));
    Store(row.logits + i, z);
    max = Max(z, max);
  }
  if (i < row.count) {
    const Vec z = capped(LoadPart(row.logits + i, row.count - i, row.logits[i]));
    StorePart(row.logits + i, z, row.count - i);
    max = Max(z, max);
  }
  return MaxOf(max);
}

inline LogitSums MeasureLogits(const LogitRow& row) {
  const float max = CapLogits(row);
  double sum = 0, weighted = 0;  // of e^(z - max), and of that times z - max
  for (int64_t first = 0; first < row.count; first += kSummed) {
    const int64_t end = first + kSummed < row.count ? first + kSummed : row.count;
    Vec part = {}, part_weighted = {};
    int64_t i = first;
    for (; i + kLanes <= end; i += kLanes) {
      const Vec below = Load(row.logits + i) - max;
      const Vec e = Exp(below);
      part += e;
      part_weighted += e * below;
    }
    if (i < end) {
      const Vec below = LoadPart(row.logits + i, end - i, max - 1000) - max;
      const Vec e = Exp(below);
      part += e;
      part_weighted += e * below;
    }
    sum += static_cast<double>(SumOf(part));
    weighted += static_cast<double>(SumOf(part_weighted));
  }
  const double log_sum = Log(sum);
  return {static_cast<double>(max) + log_sum, log_sum - weighted / sum};
}

inline double KlOfLogits(const LogitPair& pair) {
  double kl = 0;
  const auto term = [&](Vec policy, Vec reference) {
    const Vec log_ref = reference - pair.reference_log_normalizer;
    return Exp(log_ref) * (log_ref - (policy - pair.log_normalizer));
  };
  for (int64_t first = 0; first < pair.count; first += kSummed) {
    const int64_t end = first + kSummed < pair.count ? first + kSummed : pair.count;
    Vec part = {};
    int64_t i = first;
    for (; i + kLanes <= end; i += kLanes) {
      part += term(Load(pair.policy + i), Load(pair.reference + i));
    }
    if (i < end) {
      const int64_t left = end - i;
      part += term(LoadPart(pair.policy + i, left, pair.log_normalizer),
                   LoadPart(pair.reference + i, left, pair.reference_log_normalizer - 1000));
    }
    kl += static_cast<double>(SumOf(part));
  }
  return kl;
}

inline void LogitsToGradient(const LogitRow& row, const LogitGradient& gradient) {
  const float inverse = row.cap > 0 ? 1 / row.cap : 0;
  const float scale = gradient.kappa - gradient.s;
  const float z_target = row.logits[gradient.target];
  const auto slope = [&](Vec z) {  // of the softcap
    const Vec t = z * inverse, left = 1.0F - t * t;
    return left < 0.0F ? Vec{} : left;
  };
  const auto of = [&](Vec z, Vec reference) {
    Vec g = Exp(z - gradient.log_normalizer) * scale;
    if (gradient.reference != nullptr) {
      g -= Exp(reference - gradient.reference_log_normalizer) * gradient.kappa;
    }
    return g * slope(z);
  };
  int64_t i = 0;
  for (; i + kLanes <= row.count; i += kLanes) {
    const Vec reference = gradient.reference != nullptr ? Load(gradient.reference + i) : Vec{};
    Store(row.logits + i, of(Load(row.logits + i), reference));
  }
  if (i < row.count) {
    const int64_t left = row.count - i;
    const Vec reference =
        gradient.reference != nullptr ? LoadPart(gradient.reference + i, left, 0) : Vec{};
    StorePart(row.logits + i, of(LoadPart(row.logits + i, left, 0), reference), left);
  }
  row.logits[gradient.target] += gradient.s * slope(Splat(z_target))[0];
}

}  // namespace fpo::train::FPO_KERNELS
