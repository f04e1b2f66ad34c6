#pragma once

#include <ATen/core/Tensor.h>

namespace fpo::train {

// cos and sin of position * frequency, each [seq, head_dim / 2].
struct RopeTable {
  at::Tensor cos;
  at::Tensor sin;
};

struct RopeOptions {
  double base = 10000;
  double scaling = 1;  // linear scaling: positions are divided by it
};

// Angles in float32, positions 0 .. seq-1. Tables are float32, or float64 when `like` is float64.
RopeTable MakeRopeTable(int64_t seq, int64_t head_dim, const RopeOptions& options,
                        const at::Tensor& like);

// Rotates the pairs (i, i + head_dim/2) of x: [batch, seq, heads, head_dim]; float32 inside,
// rounded once. Differentiable.
at::Tensor ApplyRope(const at::Tensor& x, const RopeTable& table);

}  // namespace fpo::train
