#pragma once

#include <cmath>
#include <cstdint>

#include "train/cuda/kernels/cuda_calls.h"
#include "train/cuda/kernels/logit_totals.h"
#include "train/cuda/kernels/numbers.h"

// The vocabulary head's passes over rows of logits: kernels as norm_block.h describes them.
namespace fpo::train::cuda {

constexpr int kLogits = kPack<float>;

struct MeasureRow {  // one row
  CudaLogits call;

  template <class Block>
  FPO_DEVICE void operator()(Block& block, int64_t row) const {
    const auto totals = block.template Sum<LogitTotals<double>>([&](int thread) {
      auto own = LogitTotals<float>::None();
      ForEachPack<kLogits>(call.count, thread, block.threads(), [&](int64_t i, int64_t left) {
        Add(call.logits + row * call.stride + i, left, &own);
      });
      return LogitTotals<double>{own.max, own.sum, own.weighted};
    });
    const double log_sum = log(totals.sum);
    block.Each([&](int thread) {
      if (thread != 0) return;
      call.log_normalizer[row] = static_cast<float>(totals.max + log_sum);
      if (call.entropy == nullptr) return;
      call.entropy[row] = static_cast<float>(log_sum - totals.weighted / totals.sum);
    });
  }

 private:
  FPO_DEVICE void Add(float* logits, int64_t left, LogitTotals<float>* own) const {
    float z[kLogits];
    Load(logits, left, z);
    const int count = left < kLogits ? static_cast<int>(left) : kLogits;
    float max = own->max;
    for (int k = 0; k < count; ++k) {
      if (call.cap > 0) z[k] = tanhf(z[k] / call.cap) * call.cap;
      if (z[k] > max) max = z[k];
    }
    if (call.cap > 0) Store(z, left, logits);
    if (max > own->max) *own = own->At(max);
    for (int k = 0; k < count; ++k) {
      const float below = z[k] - max, e = expf(below);
      own->sum += e;
      own->weighted += e * below;
    }
  }
};

struct KlOfRows {  // one row
  CudaKl call;

  template <class Block>
  FPO_DEVICE void operator()(Block& block, int64_t row) const {
    const float normalizer = call.log_normalizer[row];
    const float other = call.reference_log_normalizer[row];
    const double kl = block.template Sum<double>([&](int thread) {
      double sum = 0;
      ForEachPack<kLogits>(call.count, thread, block.threads(), [&](int64_t i, int64_t left) {
        float policy[kLogits], reference[kLogits], part = 0;
        Load(call.policy + row * call.stride + i, left, policy);
        Load(call.reference + row * call.stride + i, left, reference);
        for (int k = 0; k < kLogits && k < left; ++k) {
          const float log_ref = reference[k] - other;
          part += expf(log_ref) * (log_ref - (policy[k] - normalizer));
        }
        sum += static_cast<double>(part);
      });
      return sum;
    });
    block.Each([&](int thread) {
      if (thread == 0) call.kl[row] = static_cast<float>(kl);
    });
  }
};

// Out: float over the logits themselves, BFloat16 over the first half of their row: what is written
// of a tile lies over this tile and those before, which every thread has read.
template <class Out>
struct GradientOfRow {  // one row
  CudaLogitGradient call;

  template <class Block>
  FPO_DEVICE void operator()(Block& block, int64_t row) const {
    const float s = call.s[row], kappa = call.kappa == nullptr ? 0 : call.kappa[row];
    const int64_t target = call.target[row], tile = int64_t{kLogits} * block.threads();
    for (int64_t first = 0; first < call.stride; first += tile) {
      block.template Exchange<Values>(
          [&](int thread) {
            const int64_t i = first + int64_t{kLogits} * thread;
            Values own = {};
            if (i < call.count && (s != 0 || kappa != 0)) Fill({row, i, target}, {s, kappa}, &own);
            return own;
          },
          [&](int thread, const Values& own) {
            const int64_t i = first + int64_t{kLogits} * thread;
            if (i >= call.stride) return;
            float* const logits = call.logits + row * call.stride;
            Store(own.g, call.stride - i, reinterpret_cast<Out*>(logits) + i);
          });
    }
  }

 private:
  struct Values {
    float g[kLogits];
  };
  struct Place {
    int64_t row, i, target;
  };
  struct Scales {
    float s, kappa;
  };

  FPO_DEVICE void Fill(const Place& at, const Scales& scales, Values* own) const {
    const int64_t left = call.count - at.i, first = at.row * call.stride + at.i;
    const float normalizer = call.log_normalizer[at.row];
    float reference[kLogits] = {};
    Load(call.logits + first, left, own->g);
    if (call.reference != nullptr) Load(call.reference + first, left, reference);
    for (int k = 0; k < kLogits; ++k) {
      if (k >= left) {
        own->g[k] = 0;
        continue;
      }
      const float z = own->g[k];
      float g = expf(z - normalizer) * (scales.kappa - scales.s);
      if (call.reference != nullptr) {
        g -= expf(reference[k] - call.reference_log_normalizer[at.row]) * scales.kappa;
      }
      if (at.i + k == at.target) g += scales.s;
      const float t = call.cap > 0 ? z / call.cap : 0, slope = 1 - t * t;
      own->g[k] = g * (slope < 0 ? 0 : slope);
    }
  }
};

}  // namespace fpo::train::cuda
