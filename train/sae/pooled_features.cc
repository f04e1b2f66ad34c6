#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "train/ops/segment.h"
#include "train/sae/response_order.h"
#include "train/sae/sparse_autoencoder.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Codes alive at a time, in elements: 64 MiB of float32.
constexpr int64_t kChunkElements = int64_t{1} << 24;

// Which of the given columns are active, [rows, columns]. encoder: [columns, width].
struct Columns {
  at::Tensor encoder, bias, threshold;

  at::Tensor Pre(const at::Tensor& rows) const { return at::addmm(bias, rows, encoder.t()); }
  at::Tensor Active(const at::Tensor& pre) const {
    return pre.gt(threshold).logical_and_(pre.gt(0));
  }
};

// Which of the columns `index` [columns], all different, are among those that a TopK chose for each
// row, `top` [rows, k]: [rows, columns] bool. Computed from the choice itself: the k-th largest of
// a row, computed again with other columns beside it, may round to less than itself.
at::Tensor AmongTop(const at::Tensor& top, const at::Tensor& index, int64_t features) {
  const int64_t columns = index.size(0);
  at::Tensor place = at::full({features}, columns, index.options());
  place.index_copy_(0, index, at::arange(columns, index.options()));
  at::Tensor mask = at::zeros({top.size(0), columns + 1}, top.options().dtype(at::kBool));
  mask.scatter_(1, place.index_select(0, top.flatten()).view_as(top), true);
  return mask.narrow(1, 0, columns);
}

// The columns of each row of `grad` [responses, features] that are not zero. Two waits for the
// device, however many responses there are.
std::vector<at::Tensor> UsedColumns(const at::Tensor& grad) {
  const at::Tensor columns = grad.nonzero().select(1, 1);
  const at::Tensor counts = grad.ne(0).sum(1).cpu();
  std::vector<at::Tensor> used;
  int64_t first = 0;
  for (int64_t response = 0; response < grad.size(0); ++response) {
    const int64_t count = counts.const_data_ptr<int64_t>()[response];
    used.push_back(columns.narrow(0, first, count));
    first += count;
  }
  return used;
}

struct PooledFeaturesFunction : torch::autograd::Function<PooledFeaturesFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& rows,
                            const SparseAutoencoder& sae, const ResponseRows& input,
                            const Columns& columns) {
    const auto type = columns.encoder.scalar_type();
    at::Tensor pooled = at::zeros({input.responses, sae.features()}, columns.encoder.options());
    const int64_t chunk = std::max<int64_t>(1, kChunkElements / sae.features());
    std::vector<at::Tensor> top;
    for (int64_t first = 0; first < rows.size(0); first += chunk) {
      const int64_t count = std::min(chunk, rows.size(0) - first);
      const auto coded = sae.EncodeTop(rows.narrow(0, first, count));
      pooled.index_add_(0, input.response_of_row.narrow(0, first, count), coded.codes);
      if (coded.columns.defined()) top.push_back(coded.columns);
    }
    const at::Tensor sizes = ResponseSizes(input.response_of_row, input.responses);
    context->save_for_backward({rows, input.response_of_row, columns.encoder, columns.bias,
                                columns.threshold, top.empty() ? at::Tensor() : at::cat(top)});
    context->saved_data["responses"] = input.responses;
    context->saved_data["sizes"] = input.sizes;
    return pooled.div_(sizes.clamp_min(1).to(type).unsqueeze(1));
  }

  // d pooled_i / d x_t = 1[c_ti > 0] W_enc[:, i] / n. Few columns of a response have a gradient:
  // only these are computed again.
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& rows = saved[0];
    const Columns all = {saved[2], saved[3], saved[4]};
    const at::Tensor& top = saved[5];
    const auto type = all.encoder.scalar_type();
    at::Tensor grad_rows = at::zeros(rows.sizes(), all.encoder.options());
    const auto row_lists = RowsByResponse({rows, saved[1], context->saved_data["responses"].toInt(),
                                           context->saved_data["sizes"].toIntVector()});
    const std::vector<at::Tensor> used = UsedColumns(grads[0]);
    for (size_t response = 0; response < row_lists.size(); ++response) {
      const at::Tensor& own = row_lists[response];
      const at::Tensor grad = grads[0].select(0, static_cast<int64_t>(response));
      const at::Tensor& index = used[response];
      if (own.numel() == 0 || index.numel() == 0) continue;
      const Columns columns = {all.encoder.index_select(0, index), all.bias.index_select(0, index),
                               all.threshold.index_select(0, index)};
      const at::Tensor pre = columns.Pre(rows.index_select(0, own).to(type));
      const at::Tensor per_row = grad.index_select(0, index) / static_cast<double>(own.numel());
      at::Tensor chosen = columns.Active(pre);
      if (top.defined()) {
        chosen.logical_and_(AmongTop(top.index_select(0, own), index, all.encoder.size(0)));
      }
      const at::Tensor active = chosen.to(type) * per_row;
      grad_rows.index_copy_(0, own, at::mm(active, columns.encoder));
    }
    return {grad_rows.to(rows.scalar_type()), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

// [responses, width]; differentiable in the rows.
at::Tensor MeanRows(const ResponseRows& input) {
  const at::Tensor rows = input.rows.to(at::kFloat);
  const at::Tensor sums = at::zeros({input.responses, rows.size(1)}, rows.options())
                              .index_add(0, input.response_of_row, rows);
  const at::Tensor sizes = ResponseSizes(input.response_of_row, input.responses);
  return sums / sizes.clamp_min(1).to(at::kFloat).unsqueeze(1);
}

}  // namespace

at::Tensor SparseAutoencoder::PooledFeatures(const ResponseRows& input) const {
  CheckResponseRows(input, width());
  if (is_identity()) return MeanRows(input);
  return PooledFeaturesFunction::apply(input.rows, *this, input,
                                       Columns{encoder_, bias_, threshold_});
}

at::Tensor SparseAutoencoder::PooledColumns(const ResponseRows& input,
                                            const at::Tensor& columns) const {
  CheckResponseRows(input, width());
  TORCH_CHECK(columns.dim() == 2 && columns.size(0) == input.responses, "SAE columns ",
              columns.sizes(), " for ", input.responses, " responses");
  if (is_identity()) return MeanRows(input).gather(1, columns);
  const auto row_lists = RowsByResponse(input);
  const at::Tensor top = top_k_ > 0 ? TopColumns(input.rows) : at::Tensor();
  std::vector<at::Tensor> pooled;
  for (int64_t response = 0; response < input.responses; ++response) {
    const at::Tensor index = columns.select(0, response);
    const at::Tensor& own = row_lists[response];
    if (own.numel() == 0) {
      pooled.push_back(at::zeros({index.size(0)}, encoder_.options()));
      continue;
    }
    const Columns few = {encoder_.index_select(0, index), bias_.index_select(0, index),
                         threshold_.index_select(0, index)};
    const at::Tensor pre = few.Pre(input.rows.index_select(0, own).to(encoder_.scalar_type()));
    at::Tensor chosen = few.Active(pre.detach());
    if (top.defined()) {
      chosen = chosen.logical_and(AmongTop(top.index_select(0, own), index, features()));
    }
    pooled.push_back((pre * chosen).mean(0));
  }
  return pooled.empty() ? at::zeros({0, columns.size(1)}, encoder_.options()) : at::stack(pooled);
}

}  // namespace fpo::train
