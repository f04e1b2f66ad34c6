#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace fpo::train {

// cos and sin of position * frequency, each [seq, head_dim / 2].
struct RopeTable {
  at::Tensor cos;
  at::Tensor sin;
};

// How Llama 3.1 stretches the rotation for longer contexts: what turns less than low_freq_factor
// times in original_positions is slowed by `factor`, what turns more than high_freq_factor times is
// left, and between them the two are mixed.
struct Llama3Scaling {
  double factor = 1;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  double original_positions = 8192;

  bool operator==(const Llama3Scaling&) const = default;
};

struct RopeOptions {
  double base = 10000;
  double scaling = 1;  // linear scaling: positions are divided by it
  std::optional<Llama3Scaling> llama3 = std::nullopt;  // instead of the linear one
};

// Angles in float32, positions 0 .. seq-1. Tables are float32, or float64 when `like` is float64.
RopeTable MakeRopeTable(int64_t seq, int64_t head_dim, const RopeOptions& options,
                        const at::Tensor& like);

// Rotates the pairs (i, i + head_dim/2) of x: [batch, seq, heads, head_dim]; float32 inside,
// rounded once. Differentiable.
at::Tensor ApplyRope(const at::Tensor& x, const RopeTable& table);

}  // namespace fpo::train
