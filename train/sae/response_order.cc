#include "train/sae/response_order.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <numeric>

#include "train/ops/segment.h"

namespace fpo::train {
namespace {

std::vector<int64_t> CountRows(const ResponseRows& input) {
  const at::Tensor sizes = ResponseSizes(input.response_of_row, input.responses).cpu();
  const int64_t* first = sizes.const_data_ptr<int64_t>();
  return {first, first + input.responses};
}

}  // namespace

std::vector<at::Tensor> RowsByResponse(const ResponseRows& input) {
  const at::Tensor& owners = input.response_of_row;
  const bool known = !input.sizes.empty();
  const at::Tensor order = known ? at::arange(owners.size(0), owners.options())
                                 : at::argsort(owners, /*stable=*/true, 0, false);
  std::vector<at::Tensor> rows;
  int64_t first = 0;
  for (const int64_t count : known ? input.sizes : CountRows(input)) {
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
