#pragma once

#include <cstdint>

// Vectors of float32 as wide as the instruction set that a source is compiled for, and the
// elementary functions that LibTorch's rows need. Includes nothing that has inline functions: the
// linker could take such a function from a source that was compiled for another processor.
#ifndef FPO_KERNELS
#define FPO_KERNELS default_kernels
#endif
#if defined(__AVX512F__)
#define FPO_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define FPO_VECTOR_BYTES 32
#else
#define FPO_VECTOR_BYTES 16
#endif

namespace fpo::train::FPO_KERNELS {

constexpr int64_t kLanes = FPO_VECTOR_BYTES / sizeof(float);
using Vec [[gnu::vector_size(FPO_VECTOR_BYTES)]] = float;
using IntVec [[gnu::vector_size(FPO_VECTOR_BYTES)]] = int32_t;

inline Vec Load(const float* p) {
  Vec v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}
inline void Store(float* p, Vec v) { __builtin_memcpy(p, &v, sizeof(v)); }
inline Vec Splat(float x) { return Vec{} + x; }

// The first `count` lanes, fewer than all; the others are `rest`.
inline Vec LoadPart(const float* p, int64_t count, float rest) {
  Vec v = Splat(rest);
  for (int64_t i = 0; i < count; ++i) v[i] = p[i];
  return v;
}
inline void StorePart(float* p, Vec v, int64_t count) {
  for (int64_t i = 0; i < count; ++i) p[i] = v[i];
}

inline Vec Max(Vec a, Vec b) { return a > b ? a : b; }

inline float SumOf(Vec v) {
  float sum = 0;
  for (int64_t i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}
inline float MaxOf(Vec v) {
  float max = v[0];
  for (int64_t i = 1; i < kLanes; ++i) max = v[i] > max ? v[i] : max;
  return max;
}

// e^x for x <= 88: within two units in the last place, 0 below -87, NaN for NaN. Cephes' polynomial
// on [-ln 2 / 2, ln 2 / 2].
inline Vec Exp(Vec x) {
  constexpr float kRound = 12582912.0F;  // adding it leaves an integer in the low bits
  const Vec bounded = x < -87.0F ? Splat(-87.0F) : x;
  const Vec shifted = bounded * 1.44269504088896341F + kRound;
  const Vec n = shifted - kRound;
  const Vec r = (bounded - n * 0.693359375F) + n * 2.12194440e-4F;
  Vec p = Splat(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  const IntVec exponent = (__builtin_convertvector(n, IntVec) + 127) << 23;
  Vec power;
  __builtin_memcpy(&power, &exponent, sizeof(power));
  return x < -87.0F ? Vec{} : p * power;
}

// tanh(x), any x: within two units in the last place; NaN for NaN.
inline Vec Tanh(Vec x) {
  const Vec size = x < 0.0F ? -x : x;
  const Vec square = x * x;
  Vec p = Splat(-5.70498872745e-3F);
  p = p * square + 2.06390887954e-2F;
  p = p * square - 5.37397155531e-2F;
  p = p * square + 1.33314422036e-1F;
  p = p * square - 3.33332819422e-1F;
  const Vec small = p * square * x + x;
  const Vec doubled = size > 20.0F ? Splat(40.0F) : size + size;
  const Vec large = 1.0F - 2.0F / (Exp(doubled) + 1.0F);
  return size < 0.625F ? small : (x < 0.0F ? -large : large);
}

// The natural logarithm, from the C library: one a row.
inline double Log(double x) { return __builtin_log(x); }

}  // namespace fpo::train::FPO_KERNELS
