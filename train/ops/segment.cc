#include "train/ops/segment.h"

#include <ATen/ATen.h>

namespace fpo::train {

at::Tensor ResponseSums(const at::Tensor& values, const at::Tensor& response_of_row,
                        int64_t count) {
  TORCH_CHECK(values.dim() == 1 && values.sizes() == response_of_row.sizes(),
              "ResponseSums: ", values.sizes(), " values with ", response_of_row.sizes(),
              " owners");
  return at::zeros({count}, values.options().dtype(at::kDouble))
      .index_add(0, response_of_row, values.to(at::kDouble));
}

at::Tensor ResponseSizes(const at::Tensor& response_of_row, int64_t count) {
  return at::zeros({count}, response_of_row.options())
      .scatter_add_(0, response_of_row, at::ones_like(response_of_row));
}

}  // namespace fpo::train
