#pragma once

#include <cstdint>

#include "train/kernels/kernel_set.h"

// The arguments of libfpo_cuda.so's calls (cuda_table.h): plain pointers to memory of the current
// device. Matrices are row-major, and where no stride is given a row follows the one before.
namespace fpo::train {

enum class NumberType : int32_t { kFloat32, kBFloat16 };

// y = x * rsqrt(mean(x^2) + eps) * (offset + weight), rounded; with `residual` then residual + y,
// rounded again. x, weight, residual, y: of `type`.
struct CudaNorm {
  NumberType type;
  const void *x, *weight, *residual;  // residual: null for none
  void* y;
  float* rstd;  // [rows]
  int64_t rows, width;
  float eps, offset;
};
// `parts`: scratch, [CudaNormParts(rows), width]. grad_weight: [width], added to when `adds`.
struct CudaNormGradient {
  NumberType type;
  const void *x, *weight, *grad;
  const float* rstd;
  void* grad_x;
  float *parts, *grad_weight;
  int64_t rows, width;
  float offset;
  bool adds;
};
constexpr int64_t CudaNormPartRows(int64_t rows) { return rows <= 4096 ? 8 : (rows + 511) / 512; }
constexpr int64_t CudaNormParts(int64_t rows) {
  return (rows + CudaNormPartRows(rows) - 1) / CudaNormPartRows(rows);
}

// gelu_tanh(gate) * up or silu(gate) * up. Strides: numbers from one row to the next.
enum class Gating : int32_t { kGeluTanh, kSilu };
struct CudaGated {
  NumberType type;
  Gating gating;
  const void *gate, *up;
  void* out;
  int64_t rows, width, gate_stride, up_stride, out_stride;
};
struct CudaGatedGradient {
  NumberType type;
  Gating gating;
  const void *gate, *up, *grad;
  void *grad_gate, *grad_up;
  int64_t rows, width, gate_stride, up_stride, grad_stride, out_stride;  // out: of both gradients
};

// Pairs (i, i + half) of each head of each token, rotated by the angles of position token % seq;
// `sign` -1 inverts it. cos, sin: [seq, half].
struct CudaRope {
  NumberType type;
  const void* x;
  void* out;
  const float *cos, *sin;
  int64_t tokens, heads, half, seq, x_stride;  // of a token; out has none
  float sign;
};

// Caps logits in place (cap 0: no softcap) and measures each row.
struct CudaLogits {
  float* logits;
  int64_t rows, stride, count;  // count: of a row, padding left out
  float cap;
  float *log_normalizer, *entropy;  // [rows]; entropy: null, or in nats
};
// KL(reference || policy) of capped rows.
struct CudaKl {
  const float *policy, *reference;
  int64_t rows, stride, count;
  const float *log_normalizer, *reference_log_normalizer;
  float* kl;
};
// Replaces capped rows by s (1[v = target] - p) + kappa (p - p_ref), times the softcap's
// derivative, and what is beyond `count` by 0. `narrow`: as bfloat16 in the first half of each row.
struct CudaLogitGradient {
  float* logits;
  int64_t rows, stride, count;
  float cap;
  const int64_t* target;
  const float *log_normalizer, *s, *kappa;            // kappa: null for 0
  const float *reference, *reference_log_normalizer;  // null: p_ref is left out
  bool narrow;
};

// sums[owner] += rows of it, in order. owners: [rows], any order.
struct CudaRowSums {
  const float* values;  // [rows, width]
  const int64_t* owners;
  float* sums;  // [segments, width]
  int64_t rows, width, segments, sums_stride;
};
// The same of one number a row, set, in float64.
struct CudaResponseSums {
  const float* values;
  const int64_t* owners;
  double* sums;
  int64_t rows, segments;
};

// `parts`: [CudaSquareParts(count)].
struct CudaSquares {
  const float* values;
  int64_t count;
  double* parts;
};
constexpr int64_t kCudaSquareBlock = int64_t{1} << 16;
constexpr int64_t CudaSquareParts(int64_t count) {
  return (count + kCudaSquareBlock - 1) / kCudaSquareBlock;
}
// The norm of all gradients and the factor that brings it to `max_norm` (0: 1); the factor of a
// norm that is not finite is NaN.
struct CudaClip {
  const double* parts;
  int64_t count;
  double max_norm;
  double* norm;
  float* factor;
};
// Elements of a parameter. `factor`: multiplies the gradient too; null: 1, NaN: nothing changes.
struct CudaUpdate {
  UpdateSpan span;
  uint16_t* rounded;  // the weight in bfloat16; null: not wanted
  const float* factor;
};

// out[i] = values[code of i] * magnitude of i / block; two codes a byte, the first in the high
// half. With absmax_codes a magnitude is nested_map[its code] * absmax[its place / nested_block] +
// offset.
struct CudaNf4 {
  NumberType type;                      // of out
  const uint8_t *codes, *absmax_codes;  // absmax_codes: null, absmax are the magnitudes
  const float *absmax, *nested_map;
  void* out;
  int64_t count, block, nested_block;  // block: a multiple of 32
  float offset;
  float values[16];
};

}  // namespace fpo::train
