#include "train/sae/response_order.h"

#include <ATen/ATen.h>

#include <cstdint>

namespace fpo::train {

std::vector<at::Tensor> RowsByResponse(const ResponseRows& input) {
  const at::Tensor order = at::argsort(input.response_of_row, /*stable=*/true, 0, false);
  const at::Tensor sizes = at::bincount(input.response_of_row, {}, input.responses).cpu();
  std::vector<at::Tensor> rows;
  int64_t first = 0;
  for (int64_t response = 0; response < input.responses; ++response) {
    const int64_t count = sizes.const_data_ptr<int64_t>()[response];
    rows.push_back(order.narrow(0, first, count));
    first += count;
  }
  return rows;
}

void CheckResponseRows(const ResponseRows& input, int64_t width) {
  TORCH_CHECK(input.rows.dim() == 2 && input.rows.size(1) == width, "SAE rows are ",
              input.rows.sizes(), ", the SAE is ", width, " wide");
  TORCH_CHECK(
      input.response_of_row.dim() == 1 && input.response_of_row.size(0) == input.rows.size(0),
      "SAE rows ", input.rows.sizes(), " with ", input.response_of_row.sizes(), " owners");
  TORCH_CHECK(input.response_of_row.numel() == 0 ||
                  (input.response_of_row.min().item<int64_t>() >= 0 &&
                   input.response_of_row.max().item<int64_t>() < input.responses),
              "an SAE row belongs to none of ", input.responses, " responses");
}

}  // namespace fpo::train
