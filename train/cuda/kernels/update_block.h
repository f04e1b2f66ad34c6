#pragma once

#include <cmath>
#include <cstdint>

#include "train/cuda/kernels/cuda_calls.h"
#include "train/cuda/kernels/numbers.h"

// The optimisers' updates in one pass over memory: kernels as norm_block.h describes them.
namespace fpo::train::cuda {

constexpr int64_t kUpdateBlock = 4096;  // elements

// The elements of one thread.
struct UpdateValues {
  float w[4], m[4], v[4], g[4];
};

struct AdamRule {
  AdamStep step;
  static constexpr bool kHasFirstMoment = true;

  FPO_BOTH void Apply(float factor, int k, UpdateValues* x) const {
    const float g = x->g[k] * (step.gradient_scale * factor) + x->w[k] * step.added_decay;
    x->m[k] += (g - x->m[k]) * step.rest1;
    x->v[k] = x->v[k] * step.beta2 + g * g * step.rest2;
    const float root = sqrtf(x->v[k]) * step.root_scale + step.eps;
    x->w[k] = x->w[k] - x->w[k] * step.lost_weight - x->m[k] / root * step.size;
  }
};

struct RmsPropRule {
  RmsPropStep step;
  static constexpr bool kHasFirstMoment = false;

  FPO_BOTH void Apply(float factor, int k, UpdateValues* x) const {
    const float g = x->g[k] * (step.gradient_scale * factor) + x->w[k] * step.added_decay;
    x->v[k] = x->v[k] * step.alpha + g * g * step.rest;
    x->w[k] -= g / (sqrtf(x->v[k]) + step.eps) * step.lr;
  }
};

template <class Rule>
struct UpdateOfBlock {  // kUpdateBlock elements
  CudaUpdate call;
  Rule rule;

  template <class Block>
  FPO_DEVICE void operator()(Block& block, int64_t index) const {
    const float factor = call.factor == nullptr ? 1 : *call.factor;
    if (factor != factor) return;
    const int64_t first = index * kUpdateBlock, left = call.span.count - first;
    block.Each([&](int thread) {
      ForEachPack<4>(left < kUpdateBlock ? left : kUpdateBlock, thread, block.threads(),
                     [&](int64_t i, int64_t rest) { Move(first + i, rest, factor); });
    });
  }

 private:
  FPO_DEVICE void Move(int64_t i, int64_t left, float factor) const {
    const UpdateSpan& span = call.span;
    UpdateValues x;
    Load(span.weight + i, left, x.w);
    Load(span.gradient + i, left, x.g);
    Load(span.second_moment + i, left, x.v);
    if (Rule::kHasFirstMoment) Load(span.first_moment + i, left, x.m);
    for (int k = 0; k < 4; ++k) rule.Apply(factor, k, &x);
    Store(x.w, left, span.weight + i);
    Store(x.v, left, span.second_moment + i);
    if (Rule::kHasFirstMoment) Store(x.m, left, span.first_moment + i);
    if (call.rounded != nullptr) Store(x.w, left, reinterpret_cast<BFloat16*>(call.rounded) + i);
  }
};

}  // namespace fpo::train::cuda
