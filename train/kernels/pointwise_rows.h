#pragma once

#include <cstdint>

#include "train/kernels/kernel_set.h"
#include "train/kernels/vector_math.h"

// Norm, rotation and gated activation of one row.
namespace fpo::train::FPO_KERNELS {

// fn(first, lanes) over [0, count): whole vectors, then the rest.
template <typename Fn>
inline void ForEachVec(int64_t count, const Fn& fn) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) fn(i, kLanes);
  if (i < count) fn(i, count - i);
}
inline Vec LoadUpTo(const float* p, int64_t lanes) {
  return lanes == kLanes ? Load(p) : LoadPart(p, lanes, 0);
}
inline void StoreUpTo(float* p, Vec v, int64_t lanes) {
  if (lanes == kLanes) return Store(p, v);
  StorePart(p, v, lanes);
}

inline float NormForward(const NormRow& row, float* out) {
  Vec squares = {};
  ForEachVec(row.width, [&](int64_t i, int64_t lanes) {
    const Vec x = LoadUpTo(row.x + i, lanes);
    squares += x * x;
  });
  const float mean = SumOf(squares) / static_cast<float>(row.width);
  const float rstd = 1 / __builtin_sqrtf(mean + row.eps);
  ForEachVec(row.width, [&](int64_t i, int64_t lanes) {
    const Vec scale = LoadUpTo(row.weight + i, lanes) + row.offset;
    StoreUpTo(out + i, LoadUpTo(row.x + i, lanes) * rstd * scale, lanes);
  });
  return rstd;
}

// With n = x * rstd and g = dy * (offset + w): dx = rstd * (g - n * mean(g * n)), dw = dy * n.
inline void NormBackward(const NormRow& row, const NormGradient& gradient) {
  const float rstd = gradient.rstd;
  Vec projected = {};
  ForEachVec(row.width, [&](int64_t i, int64_t lanes) {
    const Vec n = LoadUpTo(row.x + i, lanes) * rstd;
    const Vec dy = LoadUpTo(gradient.grad + i, lanes);
    projected += dy * (LoadUpTo(row.weight + i, lanes) + row.offset) * n;
    const Vec sum = LoadUpTo(gradient.grad_weight + i, lanes) + dy * n;
    StoreUpTo(gradient.grad_weight + i, sum, lanes);
  });
  const float mean = SumOf(projected) / static_cast<float>(row.width);
  ForEachVec(row.width, [&](int64_t i, int64_t lanes) {
    const Vec n = LoadUpTo(row.x + i, lanes) * rstd;
    const Vec scale = LoadUpTo(row.weight + i, lanes) + row.offset;
    const Vec g = LoadUpTo(gradient.grad + i, lanes) * scale;
    StoreUpTo(gradient.grad_x + i, (g - n * mean) * rstd, lanes);
  });
}

constexpr float kGeluScale = 0.7978845608028654F;  // sqrt(2 / pi)
constexpr float kGeluCube = 0.044715F;

inline Vec GeluTanh(Vec x) { return Tanh((x + x * x * x * kGeluCube) * kGeluScale); }

inline void GegluForward(const GluSpan& span, float* out) {
  ForEachVec(span.count, [&](int64_t i, int64_t lanes) {
    const Vec x = LoadUpTo(span.gate + i, lanes);
    const Vec gelu = x * 0.5F * (GeluTanh(x) + 1.0F);
    StoreUpTo(out + i, gelu * LoadUpTo(span.up + i, lanes), lanes);
  });
}

inline void GegluBackward(const GluSpan& span, const GluGradient& gradient) {
  ForEachVec(span.count, [&](int64_t i, int64_t lanes) {
    const Vec x = LoadUpTo(span.gate + i, lanes), grad = LoadUpTo(gradient.grad + i, lanes);
    const Vec t = GeluTanh(x);
    const Vec half = (t + 1.0F) * 0.5F;
    const Vec inner = (x * x * (3 * kGeluCube) + 1.0F) * kGeluScale;
    const Vec slope = half + x * 0.5F * (1.0F - t * t) * inner;
    StoreUpTo(gradient.grad_up + i, x * half * grad, lanes);
    StoreUpTo(gradient.grad_gate + i, grad * LoadUpTo(span.up + i, lanes) * slope, lanes);
  });
}

// 1 / (1 + e^-x), with all digits also where it is small; NaN for NaN.
inline Vec Sigmoid(Vec x) { return 1.0F / (Exp(x < -88.0F ? Splat(88.0F) : -x) + 1.0F); }

inline void SwigluForward(const GluSpan& span, float* out) {
  ForEachVec(span.count, [&](int64_t i, int64_t lanes) {
    const Vec x = LoadUpTo(span.gate + i, lanes);
    StoreUpTo(out + i, x * Sigmoid(x) * LoadUpTo(span.up + i, lanes), lanes);
  });
}

inline void SwigluBackward(const GluSpan& span, const GluGradient& gradient) {
  ForEachVec(span.count, [&](int64_t i, int64_t lanes) {
    const Vec x = LoadUpTo(span.gate + i, lanes), grad = LoadUpTo(gradient.grad + i, lanes);
    const Vec sigmoid = Sigmoid(x);
    const Vec slope = sigmoid * (x * (1.0F - sigmoid) + 1.0F);
    StoreUpTo(gradient.grad_up + i, x * sigmoid * grad, lanes);
    StoreUpTo(gradient.grad_gate + i, grad * LoadUpTo(span.up + i, lanes) * slope, lanes);
  });
}

inline void RotateRow(const RopeRow& row, float* out) {
  for (int64_t head = 0; head < row.heads; ++head) {
    const float* const low = row.x + head * 2 * row.half;
    float* const low_out = out + head * 2 * row.half;
    ForEachVec(row.half, [&](int64_t i, int64_t lanes) {
      const Vec c = LoadUpTo(row.cos + i, lanes), s = LoadUpTo(row.sin + i, lanes) * row.sign;
      const Vec a = LoadUpTo(low + i, lanes), b = LoadUpTo(low + row.half + i, lanes);
      StoreUpTo(low_out + i, a * c - b * s, lanes);
      StoreUpTo(low_out + row.half + i, b * c + a * s, lanes);
    });
  }
}

// NaN stays NaN.
inline void AddCodes(const CodeSpan& span, float* sums) {
  ForEachVec(span.count, [&](int64_t i, int64_t lanes) {
    const Vec pre = LoadUpTo(span.product + i, lanes) + LoadUpTo(span.bias + i, lanes);
    const Vec above = pre <= LoadUpTo(span.threshold + i, lanes) ? Vec{} : pre;
    const Vec code = above < 0.0F ? Vec{} : above;
    StoreUpTo(sums + i, LoadUpTo(sums + i, lanes) + code, lanes);
  });
}

}  // namespace fpo::train::FPO_KERNELS
