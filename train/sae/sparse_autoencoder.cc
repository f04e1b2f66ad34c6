#include "train/sae/sparse_autoencoder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "train/ops/product.h"
#include "train/ops/wide_type.h"

namespace fpo::train {
namespace {

absl::Status CheckArray(const char* name, const at::Tensor& array,
                        const std::vector<int64_t>& shape) {
  if (!array.defined()) return absl::InvalidArgumentError(absl::StrCat("SAE: no array ", name));
  if (!array.is_floating_point() || array.sizes() != at::IntArrayRef(shape)) {
    return absl::InvalidArgumentError(
        absl::StrCat("SAE: array ", name, " is ", at::toString(array.scalar_type()), " [",
                     absl::StrJoin(array.sizes(), ", "), "]; expected floating point [",
                     absl::StrJoin(shape, ", "), "]"));
  }
  if (!at::isfinite(array).all().item<bool>()) {
    return absl::InvalidArgumentError(
        absl::StrCat("SAE: array ", name, " holds a value that is not finite"));
  }
  return absl::OkStatus();
}

absl::Status CheckArrays(const SaeTensors& tensors) {
  if (!tensors.w_enc.defined() || tensors.w_enc.dim() != 2) {
    return absl::InvalidArgumentError("SAE: no array w_enc of shape [width, features]");
  }
  const int64_t width = tensors.w_enc.size(0), features = tensors.w_enc.size(1);
  FPO_RETURN_IF_ERROR(CheckArray("w_enc", tensors.w_enc, {width, features}));
  FPO_RETURN_IF_ERROR(CheckArray("b_enc", tensors.b_enc, {features}));
  FPO_RETURN_IF_ERROR(CheckArray("threshold", tensors.threshold, {features}));
  if (tensors.w_dec.defined()) {
    FPO_RETURN_IF_ERROR(CheckArray("w_dec", tensors.w_dec, {features, width}));
  }
  if (tensors.w_dec.defined() || tensors.apply_b_dec_to_input) {
    FPO_RETURN_IF_ERROR(CheckArray("b_dec", tensors.b_dec, {width}));
  }
  if (tensors.top_k < 0 || tensors.top_k > features) {
    return absl::InvalidArgumentError(
        absl::StrCat("SAE: top_k is ", tensors.top_k, " of ", features, " features"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SparseAutoencoder> SparseAutoencoder::Create(const SaeTensors& tensors) {
  FPO_RETURN_IF_ERROR(CheckArrays(tensors));
  const at::NoGradGuard no_grad;
  const auto type = WideType(tensors.w_enc);
  SparseAutoencoder sae;
  sae.encoder_ = tensors.w_enc.t().to(type).contiguous();
  sae.bias_ = tensors.b_enc.to(type);
  sae.threshold_ = tensors.threshold.to(type);
  sae.top_k_ = tensors.top_k;
  if (tensors.apply_b_dec_to_input) {
    const at::Tensor shift =
        at::mv(tensors.w_enc.to(at::kDouble).t(), tensors.b_dec.to(at::kDouble));
    sae.bias_ = (tensors.b_enc.to(at::kDouble) - shift).to(type);
  }
  if (tensors.w_dec.defined()) {
    sae.decoder_ = tensors.w_dec.to(type).contiguous();
    sae.decoder_bias_ = tensors.b_dec.to(type);
  }
  return sae;
}

SparseAutoencoder SparseAutoencoder::Identity(int64_t width) {
  TORCH_CHECK(width > 0, "identity of width ", width);
  SparseAutoencoder identity;
  identity.identity_width_ = width;
  return identity;
}

SparseAutoencoder SparseAutoencoder::To(at::Device device) const {
  SparseAutoencoder moved = *this;
  for (at::Tensor* array :
       {&moved.encoder_, &moved.bias_, &moved.threshold_, &moved.decoder_, &moved.decoder_bias_}) {
    if (array->defined()) *array = array->to(device);
  }
  return moved;
}

SparseAutoencoder SparseAutoencoder::WithoutDecoder() const {
  SparseAutoencoder encoder = *this;
  encoder.decoder_.reset();
  encoder.decoder_bias_.reset();
  return encoder;
}

at::Tensor SparseAutoencoder::Arrays::Codes(const at::Tensor& rows) const {
  at::Tensor codes = MatrixProduct(rows, encoder.t()).add_(bias);
  codes.masked_fill_(codes.le(threshold), 0);
  return codes.clamp_min_(0);
}

SparseAutoencoder::Arrays SparseAutoencoder::Arrays::Narrow(int64_t first, int64_t count) const {
  return {encoder.narrow(0, first, count), bias.narrow(0, first, count),
          threshold.narrow(0, first, count)};
}

SparseAutoencoder::Arrays SparseAutoencoder::Arrays::Select(const at::Tensor& columns) const {
  return {encoder.index_select(0, columns), bias.index_select(0, columns),
          threshold.index_select(0, columns)};
}

int64_t SparseAutoencoder::RowsOfBlock() const {
  constexpr int64_t kLeastRows = 1024;  // fewer would read the encoder too often
  return std::max(kLeastRows, kBlockElements / features());
}

int64_t SparseAutoencoder::ColumnsOfBlock() const {
  return std::min(features(), std::max<int64_t>(1, kBlockElements / RowsOfBlock()));
}

// The k largest so far stay beside the next columns.
SparseAutoencoder::TopCodes SparseAutoencoder::TopOf(const at::Tensor& rows) const {
  TopCodes top;
  const int64_t columns = ColumnsOfBlock();
  for (int64_t first = 0; first < features(); first += columns) {
    const int64_t count = std::min(columns, features() - first);
    at::Tensor values = arrays().Narrow(first, count).Codes(rows);
    at::Tensor indices = at::arange(first, first + count, rows.options().dtype(at::kLong))
                             .unsqueeze(0)
                             .expand({rows.size(0), count});
    if (top.values.defined()) {
      values = at::cat({top.values, values}, 1);
      indices = at::cat({top.columns, indices}, 1);
    }
    const int64_t kept = std::min(top_k_, values.size(1));
    const auto [best, places] = values.topk(kept, 1, /*largest=*/true, /*sorted=*/false);
    top = {best, indices.gather(1, places)};
  }
  return top;
}

void SparseAutoencoder::ForEachBlock(const at::Tensor& rows,
                                     const std::function<void(const Block&)>& fn) const {
  const at::NoGradGuard no_grad;
  if (is_identity()) return fn({0, 0, rows.to(at::kFloat)});
  const int64_t row_count = RowsOfBlock(), columns = ColumnsOfBlock();
  for (int64_t row = 0; row < rows.size(0); row += row_count) {
    const at::Tensor own =
        rows.narrow(0, row, std::min(row_count, rows.size(0) - row)).to(encoder_.scalar_type());
    const TopCodes top = top_k_ > 0 ? TopOf(own) : TopCodes{};
    for (int64_t column = 0; column < features(); column += columns) {
      const int64_t count = std::min(columns, features() - column);
      if (top_k_ == 0) {
        fn({row, column, arrays().Narrow(column, count).Codes(own)});
        continue;
      }
      // Those of other columns go into one that is cut off.
      const at::Tensor local = top.columns - column;
      const at::Tensor inside = local.ge(0).logical_and_(local.lt(count));
      const at::Tensor codes = at::zeros({own.size(0), count + 1}, own.options());
      codes.scatter_(1, at::where(inside, local, count), top.values);
      fn({row, column, codes.narrow(1, 0, count)});
    }
  }
}

void SparseAutoencoder::ForEachProduct(const at::Tensor& rows,
                                       const std::function<void(const Block&)>& fn) const {
  const at::NoGradGuard no_grad;
  const int64_t row_count = RowsOfBlock(), columns = ColumnsOfBlock();
  for (int64_t row = 0; row < rows.size(0); row += row_count) {
    const at::Tensor own =
        rows.narrow(0, row, std::min(row_count, rows.size(0) - row)).to(encoder_.scalar_type());
    for (int64_t column = 0; column < features(); column += columns) {
      const int64_t count = std::min(columns, features() - column);
      fn({row, column, MatrixProduct(own, encoder_.narrow(0, column, count).t())});
    }
  }
}

at::Tensor SparseAutoencoder::Encode(const at::Tensor& rows) const {
  at::Tensor codes = at::empty({rows.size(0), features()},
                               is_identity() ? rows.options().dtype(at::kFloat)
                                             : rows.options().dtype(encoder_.scalar_type()));
  ForEachBlock(rows, [&](const Block& block) {
    codes.narrow(0, block.row, block.codes.size(0))
        .narrow(1, block.column, block.codes.size(1))
        .copy_(block.codes);
  });
  return codes;
}

at::Tensor SparseAutoencoder::EncodeColumns(const at::Tensor& rows,
                                            const at::Tensor& columns) const {
  const at::NoGradGuard no_grad;
  if (is_identity()) return rows.to(at::kFloat).index_select(1, columns);
  at::Tensor codes = arrays().Select(columns).Codes(rows.to(encoder_.scalar_type()));
  if (top_k_ > 0) {
    const at::Tensor chosen = TopColumns(rows).unsqueeze(2).eq(columns).any(1);
    codes.masked_fill_(chosen.logical_not(), 0);
  }
  return codes;
}

at::Tensor SparseAutoencoder::Reconstruct(const at::Tensor& rows) const {
  if (is_identity()) return rows.to(at::kFloat);
  at::Tensor result = at::empty(rows.sizes(), rows.options().dtype(encoder_.scalar_type()));
  ForEachBlock(rows, [&](const Block& block) {
    const at::Tensor own = result.narrow(0, block.row, block.codes.size(0));
    const at::Tensor part = Decode(block.codes, block.column);
    if (block.column == 0) {
      own.copy_(part);
    } else {
      own.add_(part);
    }
  });
  return result;
}

at::Tensor SparseAutoencoder::TopColumns(const at::Tensor& rows) const {
  if (top_k_ == 0) return {};
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> columns = {at::empty({0, top_k_}, rows.options().dtype(at::kLong))};
  for (int64_t row = 0; row < rows.size(0); row += RowsOfBlock()) {
    const int64_t count = std::min(RowsOfBlock(), rows.size(0) - row);
    columns.push_back(TopOf(rows.narrow(0, row, count).to(encoder_.scalar_type())).columns);
  }
  return at::cat(columns);
}

at::Tensor SparseAutoencoder::Decode(const at::Tensor& codes, int64_t column) const {
  TORCH_CHECK(has_decoder(), "this SAE was loaded without its decoder (w_dec, b_dec)");
  const at::NoGradGuard no_grad;
  const at::Tensor rows = MatrixProduct(codes, decoder_.narrow(0, column, codes.size(1)));
  return column == 0 ? rows + decoder_bias_ : rows;
}

}  // namespace fpo::train
