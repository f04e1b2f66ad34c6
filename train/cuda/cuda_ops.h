#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "train/cuda/kernels/cuda_table.h"

// The kernels of libfpo_cuda.so (cuda_library.h) on tensors; what each computes is in cuda_table.h.
// Tensors are float32 or bfloat16 and on one device; none of these differentiates. Results are
// contiguous.
namespace fpo::train {

struct NormOnCuda {
  at::Tensor x, weight;  // [..., width] and [width], of one type
  double eps;
  at::Tensor residual;  // as x, added to the norm; undefined: none
  double offset = 1;    // of the weight
};
struct NormedOnCuda {
  at::Tensor y, rstd;  // rstd: [rows] float32
};
NormedOnCuda NormByCuda(const CudaTable& table, const NormOnCuda& in);

struct NormGradientsOnCuda {
  at::Tensor x, weight;  // weight: [width] float32
};
NormGradientsOnCuda NormGradientsByCuda(const CudaTable& table, const NormOnCuda& in,
                                        const at::Tensor& rstd, const at::Tensor& grad);

struct GatedOnCuda {
  Gating gating;
  at::Tensor gate, up;
};
at::Tensor GatedByCuda(const CudaTable& table, const GatedOnCuda& in);
// Of gate and up.
std::pair<at::Tensor, at::Tensor> GatedGradientsByCuda(const CudaTable& table,
                                                       const GatedOnCuda& in,
                                                       const at::Tensor& grad);

// x: [batch, seq, heads, head_dim]; cos, sin: [seq, head_dim / 2] float32.
struct RopeOnCuda {
  at::Tensor x, cos, sin;
  float sign;
};
at::Tensor RopeByCuda(const CudaTable& table, const RopeOnCuda& in);

// a b in float32: of bfloat16 without rounding, where LibTorch can; `added`: to it, in place,
// unless it is undefined.
at::Tensor WideProduct(const at::Tensor& a, const at::Tensor& b);
void AddWideProduct(const at::Tensor& added, const at::Tensor& a, const at::Tensor& b);

// Logits [rows, vocab] float32, the first `count` of a row without padding; all rows contiguous.
struct LogitsOnCuda {
  at::Tensor logits;
  int64_t count;
  double cap;
};
struct LogitSumsOnCuda {
  at::Tensor log_normalizer, entropy;  // [rows] float32
};
// Caps the logits in place.
LogitSumsOnCuda MeasureByCuda(const CudaTable& table, const LogitsOnCuda& in);

struct KlOnCuda {
  at::Tensor policy, reference;  // capped logits
  int64_t count;
  at::Tensor log_normalizer, reference_log_normalizer;
};
at::Tensor KlByCuda(const CudaTable& table, const KlOnCuda& in);  // [rows]

struct LogitGradientOnCuda {
  LogitsOnCuda in;
  at::Tensor target, log_normalizer, s, kappa;     // s, kappa: undefined for 0
  at::Tensor reference, reference_log_normalizer;  // undefined: p_ref is left out
};
// The gradient over the logits, which are consumed: [rows, vocab], float32, or bfloat16 in the
// first half of each row.
at::Tensor LogitGradientByCuda(const CudaTable& table, const LogitGradientOnCuda& in, bool narrow);

// Differentiable: ResponseSums of ops/segment.h.
at::Tensor ResponseSumsByCuda(const CudaTable& table, const at::Tensor& values,
                              const at::Tensor& owners, int64_t count);
// sums[owner] += rows, float32, in the order of the rows.
void AddRowSumsByCuda(const CudaTable& table, const at::Tensor& sums, const at::Tensor& owners,
                      const at::Tensor& rows);

// sum of squares, 0-dim float64, without a float64 copy of the tensor.
at::Tensor SquaresByCuda(const CudaTable& table, const at::Tensor& values);
// The norm of tensors together, [1] float64, and its clip factor, [1] float32; neither waits.
std::pair<at::Tensor, at::Tensor> ClipByCuda(const CudaTable& table,
                                             const std::vector<at::Tensor>& tensors,
                                             double max_norm);

// Weights in NF4 (train/nf4/nf4_tensor.h), written to `into`.
struct Nf4OnCuda {
  at::Tensor codes, absmax;              // uint8; float32, or with nested_absmax uint8
  at::Tensor nested_absmax, nested_map;  // float32; undefined: none
  int64_t block, nested_block;
  float offset;
  const float* values;  // 16 of them, in the processor's memory
};
void Nf4ByCuda(const CudaTable& table, const Nf4OnCuda& in, const at::Tensor& into);

}  // namespace fpo::train
