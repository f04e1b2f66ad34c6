#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "train/cuda/cuda_library.h"
#include "train/cuda/cuda_ops.h"

// Sums without atomics: of the rows of a response and of gradients.
namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct ResponseSumsFunction : torch::autograd::Function<ResponseSumsFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& values,
                            const at::Tensor& owners, int64_t count, const CudaTable* table) {
    context->save_for_backward({owners});
    context->saved_data["type"] = static_cast<int64_t>(values.scalar_type());
    const at::Tensor numbers = values.to(at::kFloat).contiguous(), rows = owners.contiguous();
    const at::Tensor sums =
        at::empty({count}, at::TensorOptions().dtype(at::kDouble).device(values.device()));
    const CudaResponseSums call = {numbers.const_data_ptr<float>(), rows.const_data_ptr<int64_t>(),
                                   sums.mutable_data_ptr<double>(), numbers.size(0), count};
    CallCuda(numbers, "response_sums", table->response_sums, call);
    return sums;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
    const at::Tensor owners = context->get_saved_variables()[0];
    return {grads[0].index_select(0, owners).to(type), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

at::Tensor SquareParts(const CudaTable& table, const at::Tensor& values) {
  const at::Tensor numbers = values.contiguous();
  const auto wide = at::TensorOptions().dtype(at::kDouble).device(values.device());
  const at::Tensor parts = at::empty({CudaSquareParts(numbers.numel())}, wide);
  const CudaSquares call = {numbers.const_data_ptr<float>(), numbers.numel(),
                            parts.mutable_data_ptr<double>()};
  CallCuda(numbers, "squares", table.squares, call);
  return parts;
}

}  // namespace

at::Tensor ResponseSumsByCuda(const CudaTable& table, const at::Tensor& values,
                              const at::Tensor& owners, int64_t count) {
  return ResponseSumsFunction::apply(values, owners, count, &table);
}

void AddRowSumsByCuda(const CudaTable& table, const at::Tensor& sums, const at::Tensor& owners,
                      const at::Tensor& rows) {
  TORCH_CHECK(sums.stride(1) == 1 && sums.size(1) == rows.size(1),
              "AddRowSumsByCuda: ", rows.sizes(), " into ", sums.sizes());
  const at::Tensor numbers = rows.contiguous(), owner = owners.contiguous();
  const CudaRowSums call = {numbers.const_data_ptr<float>(),
                            owner.const_data_ptr<int64_t>(),
                            sums.mutable_data_ptr<float>(),
                            numbers.size(0),
                            numbers.size(1),
                            sums.size(0),
                            sums.stride(0)};
  if (numbers.numel() > 0) CallCuda(numbers, "row_sums", table.row_sums, call);
}

at::Tensor SquaresByCuda(const CudaTable& table, const at::Tensor& values) {
  return SquareParts(table, values).sum();
}

std::pair<at::Tensor, at::Tensor> ClipByCuda(const CudaTable& table,
                                             const std::vector<at::Tensor>& tensors,
                                             double max_norm) {
  std::vector<at::Tensor> all;
  for (const at::Tensor& tensor : tensors) all.push_back(SquareParts(table, tensor));
  const at::Tensor parts = at::cat(all);
  const at::Tensor norm = at::empty({1}, parts.options());
  const at::Tensor factor = at::empty({1}, parts.options().dtype(at::kFloat));
  const CudaClip call = {parts.const_data_ptr<double>(), parts.numel(), max_norm,
                         norm.mutable_data_ptr<double>(), factor.mutable_data_ptr<float>()};
  CallCuda(parts, "clip", table.clip, call);
  return {norm, factor};
}

}  // namespace fpo::train
