#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace fpo::train {

// A parameter's gradient, summed over micro-batches in its wide type (wide_type.h): float32 for
// float32 and bfloat16. Not thread-safe.
class GradientSum {
 public:
  explicit GradientSum(const at::Tensor& parameter);

  // Adds a gradient in the wide type; the first is kept, not copied: the caller must drop it.
  void Take(const at::Tensor& gradient);
  // Adds a b, [rows, inner] x [inner, width], in pieces: no second tensor of the parameter's size.
  // The operands may be of a lower precision; their product is not rounded to it.
  void AddProduct(const at::Tensor& a, const at::Tensor& b);
  // Adds rows [n, width] to rows ids [n] of the sum.
  void AddRows(const at::Tensor& ids, const at::Tensor& rows);

  const at::Tensor& Value();  // zeros where nothing was added
  bool is_empty() const { return !sum_.defined(); }
  void Clear() { sum_.reset(); }

 private:
  bool Reserve();  // gives sum_ memory; false: its values are not set yet

  at::Tensor like_;  // the parameter
  at::Tensor sum_;   // undefined: 0
};

// While it lives, backward adds gradients of these parameters to their sums where it can, instead
// of returning them: from the products of Linear, the vocabulary head and the embedding. Parameters
// are recognised by their memory. Scopes of different parameters may live at the same time on any
// threads.
class GradientSumsInScope {
 public:
  GradientSumsInScope(const std::vector<at::Tensor>& parameters, std::vector<GradientSum>* sums);
  ~GradientSumsInScope();
  GradientSumsInScope(const GradientSumsInScope&) = delete;
  GradientSumsInScope& operator=(const GradientSumsInScope&) = delete;

 private:
  std::vector<const void*> keys_;
};

// Null where a gradient is to be returned.
GradientSum* GradientSumOf(const at::Tensor& parameter);

}  // namespace fpo::train
