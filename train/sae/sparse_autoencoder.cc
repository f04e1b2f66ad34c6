#include "train/sae/sparse_autoencoder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
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

SparseAutoencoder::TopCodes SparseAutoencoder::EncodeTop(const at::Tensor& rows) const {
  const at::NoGradGuard no_grad;
  if (is_identity()) return {rows.to(at::kFloat), at::Tensor()};
  at::Tensor codes = at::addmm(bias_, rows.to(encoder_.scalar_type()), encoder_.t());
  codes.masked_fill_(codes.le(threshold_), 0);
  codes.clamp_min_(0);
  if (top_k_ == 0) return {codes, at::Tensor()};
  const auto [values, columns] = codes.topk(top_k_, 1, /*largest=*/true, /*sorted=*/false);
  return {at::zeros_like(codes).scatter_(1, columns, values), columns};
}

at::Tensor SparseAutoencoder::TopColumns(const at::Tensor& rows) const {
  constexpr int64_t kElements = int64_t{1} << 24;  // of codes alive at a time
  const int64_t chunk = std::max<int64_t>(1, kElements / features());
  std::vector<at::Tensor> columns;
  for (int64_t first = 0; first < rows.size(0); first += chunk) {
    const int64_t count = std::min(chunk, rows.size(0) - first);
    columns.push_back(EncodeTop(rows.narrow(0, first, count)).columns);
  }
  return columns.empty() ? at::zeros({0, top_k_}, rows.options().dtype(at::kLong))
                         : at::cat(columns);
}

at::Tensor SparseAutoencoder::Decode(const at::Tensor& codes) const {
  TORCH_CHECK(has_decoder(), "this SAE was loaded without its decoder (w_dec, b_dec)");
  const at::NoGradGuard no_grad;
  return at::addmm(decoder_bias_, codes, decoder_);
}

}  // namespace fpo::train
