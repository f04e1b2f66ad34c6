#include "train/nf4/nf4_tensor.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "train/cuda/cuda_ops.h"
#include "train/nf4/nf4_rows.h"
#include "train/ops/fast_paths.h"

namespace fpo::train {
namespace {

// fn(range) for each thread's share of the blocks of `count` numbers.
template <class Fn>
void ForEachShare(int64_t count, int64_t block, const Fn& fn) {
  constexpr int64_t kNumbers = int64_t{1} << 15;  // that are worth a thread
  at::parallel_for(0, (count + block - 1) / block, std::max<int64_t>(1, kNumbers / block),
                   [&](int64_t begin, int64_t end) {
                     fn(BlockRange{begin, end, block, count});
                   });
}

// Into `absmax` of a tensor that has magnitudes there.
void QuantiseMagnitudes(Nf4Tensor* packed) {
  const at::Tensor magnitudes = packed->absmax;
  const int64_t count = magnitudes.numel();
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += magnitudes.const_data_ptr<float>()[i];
  packed->offset = static_cast<float>(sum / static_cast<double>(count));
  packed->nested_map = DynamicMap();
  packed->nested_absmax =
      at::empty({(count + packed->nested_block - 1) / packed->nested_block}, at::kFloat);
  packed->absmax = at::empty({count}, at::kByte);
  const at::Tensor centred = magnitudes - packed->offset;
  const auto* const map = packed->nested_map.const_data_ptr<float>();
  const auto* const values = centred.const_data_ptr<float>();
  auto* const codes = packed->absmax.mutable_data_ptr<uint8_t>();
  auto* const largest = packed->nested_absmax.mutable_data_ptr<float>();
  ForEachShare(count, packed->nested_block, [&](const BlockRange& range) {
    CodeMagnitudes({values, map}, range, codes, largest);
  });
}

// The magnitudes in float32, [blocks].
at::Tensor Magnitudes(const Nf4Tensor& packed) {
  if (!packed.nested()) return packed.absmax;
  at::Tensor wide = packed.nested_map.index_select(0, packed.absmax.to(at::kLong));
  const at::Tensor scales =
      packed.nested_absmax.repeat_interleave(packed.nested_block).narrow(0, 0, wide.numel());
  return wide.mul_(scales).add_(packed.offset);
}

void WriteWeights(const Nf4Tensor& packed, const at::Tensor& into) {
  const at::Tensor absmax = Magnitudes(packed);
  const auto* const magnitudes = absmax.const_data_ptr<float>();
  const auto* const codes = packed.codes.const_data_ptr<uint8_t>();
  void* const out = into.mutable_data_ptr();
  ForEachShare(packed.Weights(), packed.block, [&](const BlockRange& range) {
    if (into.scalar_type() == at::kBFloat16) {
      WriteNf4AsBFloat16(codes, magnitudes, range, static_cast<uint16_t*>(out));
    } else if (into.scalar_type() == at::kDouble) {
      WriteNf4(codes, magnitudes, range, static_cast<double*>(out));
    } else {
      WriteNf4(codes, magnitudes, range, static_cast<float*>(out));
    }
  });
}

// With LibTorch's operators.
void WriteWeightsPlainly(const Nf4Tensor& packed, const at::Tensor& into) {
  const at::Tensor flat = packed.codes.flatten();
  const at::Tensor both = at::stack({flat.bitwise_right_shift(4), flat.bitwise_and(15)}, 1);
  const at::Tensor values = at::tensor(at::ArrayRef<float>(kNf4Values), at::kFloat);
  const at::Tensor picked = values.to(into.device()).index_select(0, both.flatten().to(at::kLong));
  const at::Tensor scales = Magnitudes(packed).repeat_interleave(packed.block);
  const int64_t count = packed.Weights();
  into.copy_((picked.narrow(0, 0, count) * scales.narrow(0, 0, count)).view(packed.sizes));
}

}  // namespace

int64_t Nf4Tensor::Weights() const {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  return count;
}

int64_t Nf4Tensor::Bytes() const {
  int64_t bytes = 0;
  for (const at::Tensor& tensor : {codes, absmax, nested_absmax, nested_map}) {
    if (tensor.defined()) bytes += static_cast<int64_t>(tensor.nbytes());
  }
  return bytes;
}

Nf4Tensor Nf4Tensor::To(at::Device device) const {
  Nf4Tensor there = *this;
  for (at::Tensor* tensor :
       {&there.codes, &there.absmax, &there.nested_absmax, &there.nested_map}) {
    if (tensor->defined()) *tensor = tensor->to(device);
  }
  return there;
}

at::Tensor DynamicMap() {
  constexpr int kExponents = 7;
  std::vector<at::Tensor> parts = {at::tensor({0.0F, 1.0F})};
  for (int i = 0; i < kExponents; ++i) {
    const at::Tensor bounds = at::linspace(0.1, 1, (1 << i) + 1, at::kFloat);
    const at::Tensor middles = (bounds.slice(0, 0, -1) + bounds.slice(0, 1)) / 2.0;
    const at::Tensor part = middles * std::pow(10.0, i - (kExponents - 1));
    parts.push_back(part);
    parts.push_back(-part);
  }
  return std::get<0>(at::cat(parts).sort());
}

absl::StatusOr<Nf4Tensor> QuantiseNf4(const at::Tensor& weight, bool nested) {
  const at::NoGradGuard no_grad;
  const at::Tensor dense = weight.to(at::kCPU, at::kFloat).contiguous();
  const float* const values = dense.const_data_ptr<float>();
  const int64_t count = dense.numel();
  Nf4Tensor packed;
  packed.sizes = weight.sizes().vec();
  packed.codes = at::empty({(count + 1) / 2, 1}, at::kByte);
  packed.absmax = at::empty({(count + packed.block - 1) / packed.block}, at::kFloat);
  auto* const codes = packed.codes.mutable_data_ptr<uint8_t>();
  auto* const absmax = packed.absmax.mutable_data_ptr<float>();
  std::atomic<bool> finite = true;
  ForEachShare(count, packed.block, [&](const BlockRange& range) {
    if (!PackNf4(values, range, codes, absmax)) finite = false;
  });
  if (!finite) return absl::InvalidArgumentError("has values that are not finite");
  if (nested) QuantiseMagnitudes(&packed);
  return packed;
}

void DequantiseNf4(const Nf4Tensor& packed, const at::Tensor& into) {
  const at::NoGradGuard no_grad;
  const at::ScalarType type = into.scalar_type();
  TORCH_CHECK(into.sizes() == at::IntArrayRef(packed.sizes) && into.is_contiguous() &&
                  into.device() == packed.codes.device() &&
                  (type == at::kFloat || type == at::kBFloat16 || type == at::kDouble),
              "DequantiseNf4: ", at::IntArrayRef(packed.sizes), " into ", into.sizes(), " of ",
              type);
  if (const CudaTable* const table = CudaKernelsOf(into)) {
    Nf4ByCuda(*table,
              {packed.codes, packed.absmax, packed.nested_absmax, packed.nested_map, packed.block,
               packed.nested_block, packed.offset, kNf4Values.data()},
              into);
  } else {
    into.is_cpu() ? WriteWeights(packed, into) : WriteWeightsPlainly(packed, into);
  }
}

at::Tensor DequantisedNf4(const Nf4Tensor& packed, at::ScalarType type) {
  at::Tensor dense = at::empty(packed.sizes, packed.codes.options().dtype(type));
  DequantiseNf4(packed, dense);
  return dense;
}

}  // namespace fpo::train
