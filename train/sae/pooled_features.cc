#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "train/cuda/cuda_ops.h"
#include "train/ops/fast_paths.h"
#include "train/ops/product.h"
#include "train/sae/response_rows.h"
#include "train/sae/sparse_autoencoder.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Arrays = SparseAutoencoder::Arrays;

// Rows whose few columns are computed together.
constexpr int64_t kColumnRows = 1024;

// Adds the codes of a block of products (rows . W_enc) to their responses' sums.
struct CodeSums {
  const KernelSet& kernels;
  const int64_t* owners;  // of the block's rows
  float* sums;            // [responses, features], from the block's first column on
  int64_t features;

  void Add(const at::Tensor& products, const Arrays& columns) const {
    constexpr int64_t kStripe = 128;  // columns of one task: no two write the same sum
    const int64_t width = products.size(1), rows = products.size(0);
    const float* const product = products.const_data_ptr<float>();
    const float* const bias = columns.bias.const_data_ptr<float>();
    const float* const threshold = columns.threshold.const_data_ptr<float>();
    at::parallel_for(0, (width + kStripe - 1) / kStripe, 1, [&](int64_t begin, int64_t end) {
      const int64_t first = begin * kStripe, count = std::min(width, end * kStripe) - first;
      for (int64_t row = 0; row < rows; ++row) {
        kernels.add_codes({product + row * width + first, bias + first, threshold + first, count},
                          sums + owners[row] * features + first);
      }
    });
  }
};

// A few columns for each response.
struct FewColumns {
  ResponseRows input;
  Arrays all;
  at::Tensor columns;  // [responses, k]
  at::Tensor top;      // those that a TopK chose in each row, [rows, top k]; or undefined
};

// What rows of one block of a batch have to do with the columns of their own responses.
class OwnColumns {
 public:
  // Rows first .. first + count of the input.
  OwnColumns(const FewColumns& few, int64_t first, int64_t count) : k_(few.columns.size(1)) {
    const ResponseRows& input = few.input;
    const auto [low, responses] = Responses(input, first, count);
    arrays_ = few.all.Select(few.columns.narrow(0, low, responses).reshape({-1}));
    responses_ = responses;
    owner_ = input.response_of_row.narrow(0, first, count);
    index_ = (owner_ - low).view({-1, 1, 1}).expand({-1, 1, k_});
    const at::Tensor rows = input.rows.narrow(0, first, count).to(few.all.encoder.scalar_type());
    own_ = few.columns.index_select(0, owner_);
    pre_ = Own(MatrixProduct(rows, arrays_.encoder.t()).add_(arrays_.bias));
    threshold_ = Own(arrays_.threshold.expand({count, -1}));
    top_ = few.top.defined() ? few.top.narrow(0, first, count) : few.top;
  }

  const at::Tensor& owner() const { return owner_; }
  const at::Tensor& pre() const { return pre_; }  // [rows, k]

  // Which of them have a code: above the threshold and, with TopK, chosen by it. Computed from the
  // choice itself: the k-th largest of a row, computed again with other columns beside it, may
  // round to less than itself.
  at::Tensor Active() const {
    at::Tensor active = pre_.gt(threshold_).logical_and_(pre_.gt(0));
    if (top_.defined()) {
      active.logical_and_(top_.unsqueeze(2).eq(own_.unsqueeze(1)).any(1));
    }
    return active;
  }

  // Gradients to the rows from those to the own columns' pre-activations, [rows, k].
  at::Tensor ToRows(const at::Tensor& gradients) const {
    const at::Tensor all = at::zeros({gradients.size(0), responses_, k_}, gradients.options());
    all.scatter_(1, index_, gradients.unsqueeze(1));
    return MatrixProduct(all.flatten(1), arrays_.encoder);
  }

 private:
  // The responses that have rows in a block: the first, and how many.
  static std::pair<int64_t, int64_t> Responses(const ResponseRows& input, int64_t first,
                                               int64_t count) {
    if (input.sizes.empty()) return {0, input.responses};  // rows in any order
    int64_t low = 0, begin = 0, high = 0;
    for (; begin + input.sizes[static_cast<size_t>(low)] <= first; ++low) {
      begin += input.sizes[static_cast<size_t>(low)];
    }
    for (high = low; begin < first + count; ++high) begin += input.sizes[static_cast<size_t>(high)];
    return {low, high - low};
  }
  at::Tensor Own(const at::Tensor& all) const {
    return all.reshape({all.size(0), responses_, k_}).gather(1, index_).squeeze(1);
  }

  int64_t k_, responses_ = 0;
  Arrays arrays_;
  at::Tensor owner_, index_, own_, pre_, threshold_, top_;
};

template <typename Fn>
void ForEachColumnBlock(int64_t rows, const Fn& fn) {
  for (int64_t first = 0; first < rows; first += kColumnRows) {
    fn(first, std::min(kColumnRows, rows - first));
  }
}

at::Tensor Divisors(const ResponseRows& input, at::ScalarType type) {
  return ResponseSizes(input.response_of_row, input.responses).clamp_min(1).to(type).unsqueeze(1);
}

// Mean codes of the columns, [responses, k].
at::Tensor MeanColumns(const FewColumns& few) {
  at::Tensor sums = at::zeros(few.columns.sizes(), few.all.encoder.options());
  ForEachColumnBlock(few.input.rows.size(0), [&](int64_t first, int64_t count) {
    const OwnColumns own(few, first, count);
    sums.index_add_(0, own.owner(), own.pre() * own.Active());
  });
  return sums.div_(Divisors(few.input, few.all.encoder.scalar_type()));
}

// d pooled_i / d x_t = 1[c_ti > 0] W_enc[:, i] / n, for gradients [responses, k] to the columns.
at::Tensor RowGradients(const FewColumns& few, const at::Tensor& gradients) {
  const auto type = few.all.encoder.scalar_type();
  const at::Tensor shares = gradients.to(type) / Divisors(few.input, type);
  at::Tensor result = at::empty(few.input.rows.sizes(), few.all.encoder.options());
  ForEachColumnBlock(few.input.rows.size(0), [&](int64_t first, int64_t count) {
    const OwnColumns own(few, first, count);
    const at::Tensor own_shares = shares.index_select(0, own.owner());
    result.narrow(0, first, count).copy_(own.ToRows(own.Active().to(type).mul_(own_shares)));
  });
  return result.to(few.input.rows.scalar_type());
}

// What backward needs; its columns may be known only there.
void SaveForBackward(AutogradContext* context, const FewColumns& few) {
  context->save_for_backward({few.input.rows, few.input.response_of_row, few.all.encoder,
                              few.all.bias, few.all.threshold, few.columns, few.top});
  context->saved_data["responses"] = few.input.responses;
  context->saved_data["sizes"] = few.input.sizes;
}

FewColumns SavedColumns(AutogradContext* context) {
  const variable_list saved = context->get_saved_variables();
  return {{saved[0], saved[1], context->saved_data["responses"].toInt(),
           context->saved_data["sizes"].toIntVector()},
          {saved[2], saved[3], saved[4]},
          saved[5],
          saved[6]};
}

// Sums of the codes in row order, [responses, features].
at::Tensor SumsByKernels(const KernelSet& kernels, const ResponseRows& input, const Arrays& all,
                         const SparseAutoencoder& sae) {
  at::Tensor sums = at::zeros({input.responses, sae.features()}, all.encoder.options());
  const at::Tensor owners = input.response_of_row.contiguous();
  sae.ForEachProduct(input.rows, [&](const SparseAutoencoder::Block& block) {
    const CodeSums to = {kernels, owners.const_data_ptr<int64_t>() + block.row,
                         sums.mutable_data_ptr<float>() + block.column, sae.features()};
    to.Add(block.codes, all.Narrow(block.column, block.codes.size(1)));
  });
  return sums;
}

struct PooledFeaturesFunction : torch::autograd::Function<PooledFeaturesFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& rows,
                            const SparseAutoencoder& sae, const ResponseRows& input,
                            const Arrays& all) {
    const KernelSet* const kernels = sae.top_k() == 0 ? KernelsOf(all.encoder) : nullptr;
    at::Tensor sums;
    if (kernels != nullptr) {
      sums = SumsByKernels(*kernels, input, all, sae);
    } else {
      sums = at::zeros({input.responses, sae.features()}, all.encoder.options());
      sae.ForEachBlock(rows, [&](const SparseAutoencoder::Block& block) {
        const at::Tensor own = sums.narrow(1, block.column, block.codes.size(1));
        const at::Tensor owners = input.response_of_row.narrow(0, block.row, block.codes.size(0));
        if (const CudaTable* cuda = CudaKernelsOf(block.codes)) {
          AddRowSumsByCuda(*cuda, own, owners, block.codes);
        } else {
          own.index_add_(0, owners, block.codes);
        }
      });
    }
    const at::Tensor top = rows.requires_grad() ? sae.TopColumns(rows) : at::Tensor();
    SaveForBackward(context, {input, all, {}, top});
    return sums.div_(Divisors(input, all.encoder.scalar_type()));
  }

  // Few columns of a response have a gradient: only these are computed again.
  static variable_list backward(AutogradContext* context, variable_list grads) {
    FewColumns few = SavedColumns(context);
    const at::Tensor used = grads[0].ne(0);
    const int64_t most = used.sum(1).max().item<int64_t>();
    few.columns = std::get<1>(used.to(at::kByte).topk(most, 1, /*largest=*/true, /*sorted=*/false));
    return {RowGradients(few, grads[0].gather(1, few.columns)), at::Tensor(), at::Tensor(),
            at::Tensor()};
  }
};

struct WantedColumns {
  at::Tensor columns, known;  // see PooledColumns
};

struct PooledColumnsFunction : torch::autograd::Function<PooledColumnsFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& rows,
                            const SparseAutoencoder& sae, const ResponseRows& input,
                            const Arrays& all, const WantedColumns& wanted) {
    const FewColumns few = {input, all, wanted.columns, sae.TopColumns(rows)};
    SaveForBackward(context, few);
    return wanted.known.defined() ? wanted.known.clone() : MeanColumns(few);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    return {RowGradients(SavedColumns(context), grads[0]), at::Tensor(), at::Tensor(), at::Tensor(),
            at::Tensor()};
  }
};

// [responses, width]; differentiable in the rows.
at::Tensor MeanRows(const ResponseRows& input) {
  const at::Tensor rows = input.rows.to(at::kFloat);
  const at::Tensor sums = at::zeros({input.responses, rows.size(1)}, rows.options())
                              .index_add(0, input.response_of_row, rows);
  return sums / Divisors(input, at::kFloat);
}

}  // namespace

at::Tensor SparseAutoencoder::PooledFeatures(const ResponseRows& input) const {
  CheckResponseRows(input, width());
  if (is_identity()) return MeanRows(input);
  return PooledFeaturesFunction::apply(input.rows, *this, input, arrays());
}

at::Tensor SparseAutoencoder::PooledColumns(const ResponseRows& input, const at::Tensor& columns,
                                            const at::Tensor& known) const {
  CheckResponseRows(input, width());
  TORCH_CHECK(columns.dim() == 2 && columns.size(0) == input.responses, "SAE columns ",
              columns.sizes(), " for ", input.responses, " responses");
  TORCH_CHECK(!known.defined() || known.sizes() == columns.sizes(), "SAE columns ", columns.sizes(),
              " with known values ", known.defined() ? known.sizes() : at::IntArrayRef());
  if (is_identity()) return MeanRows(input).gather(1, columns);
  return PooledColumnsFunction::apply(input.rows, *this, input, arrays(),
                                      WantedColumns{columns, known});
}

}  // namespace fpo::train
