#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

// Vectors of the compiler and functions of them, for the bodies of cpu_kernels.cc, which compiles
// them for several processors.
namespace fpo::train::vector {

#define FPO_INLINE __attribute__((always_inline)) inline

// kLanes floats a vector; a tile of kRows x kColumns sums stays in registers.
template <int lanes, int rows, int columns>
struct Shape {
  static constexpr int kLanes = lanes, kRows = rows, kColumns = columns;
  typedef float F __attribute__((vector_size(4 * lanes), aligned(4), may_alias));
  typedef int32_t I __attribute__((vector_size(4 * lanes), aligned(4), may_alias));
  typedef uint32_t U __attribute__((vector_size(4 * lanes), aligned(4), may_alias));
  typedef uint16_t H __attribute__((vector_size(2 * lanes), aligned(2), may_alias));
};
using Wide = Shape<16, 4, 6>;   // 32 registers
using Narrow = Shape<8, 4, 3>;  // 16 registers
using Least = Shape<4, 2, 3>;

template <class S>
FPO_INLINE void Load(const float* from, typename S::F* to) {
  *to = *reinterpret_cast<const typename S::F*>(from);
}
template <class S>
FPO_INLINE void Load(const uint16_t* from, typename S::F* to) {
  const auto wide =
      __builtin_convertvector(*reinterpret_cast<const typename S::H*>(from), typename S::U) << 16;
  std::memcpy(to, &wide, sizeof(wide));
}
FPO_INLINE float Scalar(float value) { return value; }
FPO_INLINE float Scalar(uint16_t value) {
  const uint32_t wide = static_cast<uint32_t>(value) << 16;
  float result;
  std::memcpy(&result, &wide, sizeof(result));
  return result;
}

template <int lanes>
struct FloatsOf {
  typedef float Type __attribute__((vector_size(4 * lanes)));
};

// In halves: the same order for every sum.
FPO_INLINE float SumOf(const FloatsOf<4>::Type& v) { return (v[0] + v[2]) + (v[1] + v[3]); }
FPO_INLINE float SumOf(const FloatsOf<8>::Type& v) {
  FloatsOf<4>::Type half =
      __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
  return SumOf(half);
}
FPO_INLINE float SumOf(const FloatsOf<16>::Type& v) {
  FloatsOf<8>::Type half = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                           __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  return SumOf(half);
}
template <class S>
FPO_INLINE float Sum(const typename S::F& v) {
  const typename FloatsOf<S::kLanes>::Type plain = v;
  return SumOf(plain);
}

// e^x to 1 ulp or so: 2^n times a polynomial (the one of Cephes) on [-ln2/2, ln2/2].
template <class S>
FPO_INLINE void Exp(typename S::F* x) {
  using F = typename S::F;
  using I = typename S::I;
  constexpr float kHigh = 88.0f, kLow = -87.0f;
  F v = *x;
  v = v > kHigh ? F{} + kHigh : v;
  v = v < kLow ? F{} + kLow : v;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  const F n = (v * 1.44269504088896341f + kRound) - kRound;
  const F r = (v - n * 0.693359375f) + n * 2.12194440e-4f;
  F p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const I bits = (__builtin_convertvector(n, I) + 127) << 23;
  F power;
  std::memcpy(&power, &bits, sizeof(power));
  *x = p * power;
}

// By a polynomial near 0, where 1 - 2 / (e^2x + 1) would lose its digits (Cephes).
template <class S>
FPO_INLINE void Tanh(typename S::F* x) {
  using F = typename S::F;
  const F v = *x, square = v * v;
  F small = square * -5.70498872745e-3f + 2.06390887954e-2f;
  small = small * square + -5.37397155531e-2f;
  small = small * square + 1.33314422036e-1f;
  small = small * square + -3.33332819422e-1f;
  small = small * square * v + v;
  F large = v + v;
  Exp<S>(&large);
  large = 1.0f - 2.0f / (large + 1.0f);
  *x = square < 0.390625f ? small : large;
}

// fn(F*) on `count` values at x; the last ones padded with zeros: every value is computed the same.
template <class S, class Fn>
FPO_INLINE void ForEach(float* x, int64_t count, const Fn& fn) {
  using F = typename S::F;
  int64_t i = 0;
  for (; i + S::kLanes <= count; i += S::kLanes) {
    F value;
    Load<S>(x + i, &value);
    fn(&value, i, S::kLanes);
    std::memcpy(x + i, &value, sizeof(value));
  }
  if (i == count) return;
  F value = {};
  std::memcpy(&value, x + i, static_cast<size_t>(count - i) * sizeof(float));
  fn(&value, i, static_cast<int>(count - i));
  std::memcpy(x + i, &value, static_cast<size_t>(count - i) * sizeof(float));
}

// x = cap * tanh(x / cap).
template <class S>
FPO_INLINE void Softcap(float* x, int64_t count, float cap) {
  using F = typename S::F;
  const auto capped = [cap](F * value, int64_t, int) __attribute__((always_inline)) {
    F scaled = *value / cap;
    Tanh<S>(&scaled);
    *value = scaled * cap;
  };
  ForEach<S>(x, count, capped);
}

}  // namespace fpo::train::vector
