#include "train/model/embedding.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <cstdint>

#include "train/ops/gradient_sum.h"
#include "train/ops/wide_type.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct EmbeddingFunction : torch::autograd::Function<EmbeddingFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& weight,
                            const at::Tensor& ids, double scale) {
    context->save_for_backward({ids, weight});
    context->saved_data["scale"] = scale;
    context->saved_data["vocab"] = weight.size(0);
    return at::embedding(weight, ids).mul_(scale);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const at::Tensor ids = context->get_saved_variables()[0];
    const auto type = grads[0].scalar_type();
    const at::Tensor grad =
        grads[0].to(WideType(grads[0])) * context->saved_data["scale"].toDouble();
    if (GradientSum* const sum = GradientSumOf(context->get_saved_variables()[1])) {
      sum->AddRows(ids.flatten(), grad.flatten(0, -2));
      return {at::Tensor(), at::Tensor(), at::Tensor()};
    }
    const int64_t vocab = context->saved_data["vocab"].toInt();
    return {at::embedding_dense_backward(grad, ids, vocab, /*padding_idx=*/-1, false).to(type),
            at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor ScaledEmbedding(const at::Tensor& weight, const at::Tensor& ids) {
  const double scale =
      at::scalar_tensor(std::sqrt(static_cast<double>(weight.size(1))), weight.scalar_type())
          .item<double>();
  return EmbeddingFunction::apply(weight, ids, scale);
}

at::Tensor PlainEmbedding(const at::Tensor& weight, const at::Tensor& ids) {
  return EmbeddingFunction::apply(weight, ids, 1.0);
}

}  // namespace fpo::train
