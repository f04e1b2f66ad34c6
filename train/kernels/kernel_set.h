#pragma once

#include <cstdint>

#include "train/kernels/attention_task.h"

// Loops over float32 rows on a CPU, on plain pointers: what LibTorch would do in several passes
// over memory is done in one. Compiled once for each instruction set (kernels.cc) and chosen at run
// time. Each function works on one thread, writes only what its arguments name, and gives the same
// bits whatever else runs; rows need no alignment. Sums over a row are kept in float64 every few
// hundred elements.
namespace fpo::train {

// The logits of one position over the vocabulary; `cap` 0: no softcap.
struct LogitRow {
  float* logits;
  int64_t count;
  float cap;
};

struct LogitSums {
  double log_normalizer;  // log sum exp
  double entropy;         // nats
};

// dL/dlogit of a row: s (1[v = target] - p) + kappa (p - p_ref), times the softcap's derivative.
struct LogitGradient {
  int64_t target;
  float log_normalizer;
  float s;
  float kappa;
  const float* reference;  // capped logits of the reference; null: p_ref = 0
  float reference_log_normalizer;
};

// Two capped rows of one length: KL(reference || policy).
struct LogitPair {
  const float* policy;
  const float* reference;
  int64_t count;
  float log_normalizer;
  float reference_log_normalizer;
};

// A row of a norm: x * rsqrt(mean(x^2) + eps) * (offset + weight).
struct NormRow {
  const float *x, *weight;
  int64_t width;
  float eps;
  float offset = 1;  // Gemma's
};
struct NormGradient {
  const float* grad;  // of the norm's output
  float rstd;         // as forward returned it
  float* grad_x;
  float* grad_weight;  // added to
};

// gelu_tanh(gate) * up or silu(gate) * up, element by element.
struct GluSpan {
  const float *gate, *up;
  int64_t count;
};
struct GluGradient {
  const float* grad;
  float *grad_gate, *grad_up;
};

// Codes of a JumpReLU SAE: c = product + bias where that is above the threshold and 0, else 0.
struct CodeSpan {
  const float *product, *bias, *threshold;
  int64_t count;
};

// One position: pairs (i, i + half) of each head are rotated; `sign` -1 inverts the rotation.
struct RopeRow {
  const float *x, *cos, *sin;
  int64_t heads, half;
  float sign;
};

// Elements of a parameter, its gradient and its moments.
struct UpdateSpan {
  float *weight, *first_moment, *second_moment;  // first_moment: Adam only
  const float* gradient;
  int64_t count;
};
// With g = gradient * gradient_scale + weight * added_decay:
//   m += rest1 (g - m); v = beta2 v + rest2 g^2
//   weight = (1 - lost_weight) weight - size m / (root_scale sqrt(v) + eps)
struct AdamStep {
  float gradient_scale, added_decay, lost_weight, rest1, beta2, rest2, size, root_scale, eps;
};
//   v = alpha v + rest g^2; weight -= lr g / (sqrt(v) + eps)
struct RmsPropStep {
  float gradient_scale, added_decay, alpha, rest, lr, eps;
};

struct KernelSet {
  const char* name;  // as at::get_cpu_capability: AVX512, AVX2, DEFAULT

  // Caps the logits in place and sums over them.
  LogitSums (*measure_logits)(const LogitRow& row);
  double (*kl_of_logits)(const LogitPair& pair);
  // Replaces capped logits by their gradient.
  void (*logits_to_gradient)(const LogitRow& row, const LogitGradient& gradient);

  float (*norm)(const NormRow& row, float* out);  // returns rsqrt(mean(x^2) + eps)
  void (*norm_gradient)(const NormRow& row, const NormGradient& gradient);
  void (*geglu)(const GluSpan& span, float* out);
  void (*geglu_gradient)(const GluSpan& span, const GluGradient& gradient);
  void (*swiglu)(const GluSpan& span, float* out);
  void (*swiglu_gradient)(const GluSpan& span, const GluGradient& gradient);
  void (*rope)(const RopeRow& row, float* out);
  void (*add_codes)(const CodeSpan& span, float* sums);

  double (*sum_of_squares)(const float* values, int64_t count);
  void (*adam)(const UpdateSpan& span, const AdamStep& step);
  void (*rms_prop)(const UpdateSpan& span, const RmsPropStep& step);

  int64_t (*attention_scratch)(const AttentionShape& shape, const AttentionGroup& group);
  void (*attention)(const AttentionTask& task, const AttentionTensors& tensors);
  void (*attention_gradient)(const AttentionTask& task, const AttentionTensors& tensors);
};

// The kernels for what LibTorch found this processor to have, or was told to use
// (at::get_cpu_capability). Those for any processor when the name is unknown.
const KernelSet& KernelsFor(const char* capability);

}  // namespace fpo::train
