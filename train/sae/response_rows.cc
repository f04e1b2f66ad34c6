#include "train/sae/response_rows.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <numeric>

#include "train/cuda/cuda_ops.h"
#include "train/ops/fast_paths.h"

namespace fpo::train {
at::Tensor ResponseSums(const at::Tensor& values, const at::Tensor& response_of_row,
                        int64_t count) {
  TORCH_CHECK(values.dim() == 1 && values.sizes() == response_of_row.sizes(),
              "ResponseSums: ", values.sizes(), " values with ", response_of_row.sizes(),
              " owners");
  if (const CudaTable* cuda = CudaKernelsOf(values)) {
    return ResponseSumsByCuda(*cuda, values, response_of_row, count);
  }
  return at::zeros({count}, values.options().dtype(at::kDouble))
      .index_add(0, response_of_row, values.to(at::kDouble));
}

at::Tensor ResponseSizes(const at::Tensor& response_of_row, int64_t count) {
  return at::zeros({count}, response_of_row.options())
      .scatter_add_(0, response_of_row, at::ones_like(response_of_row));
}

void CheckResponseRows(const ResponseRows& input, int64_t width) {
  TORCH_CHECK(input.rows.dim() == 2 && input.rows.size(1) == width, "SAE rows are ",
              input.rows.sizes(), ", the SAE is ", width, " wide");
  TORCH_CHECK(
      input.response_of_row.dim() == 1 && input.response_of_row.size(0) == input.rows.size(0),
      "SAE rows ", input.rows.sizes(), " with ", input.response_of_row.sizes(), " owners");
  TORCH_CHECK(input.sizes.empty() || (static_cast<int64_t>(input.sizes.size()) == input.responses &&
                                      std::accumulate(input.sizes.begin(), input.sizes.end(),
                                                      int64_t{0}) == input.rows.size(0)),
              input.sizes.size(), " sizes for ", input.responses, " responses with ",
              input.rows.size(0), " SAE rows");
  TORCH_CHECK(!input.response_of_row.is_cpu() || input.response_of_row.numel() == 0 ||
                  (input.response_of_row.min().item<int64_t>() >= 0 &&
                   input.response_of_row.max().item<int64_t>() < input.responses),
              "an SAE row belongs to none of ", input.responses, " responses");
}

}  // namespace fpo::train
