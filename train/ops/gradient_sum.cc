#include "train/ops/gradient_sum.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "train/cuda/cuda_ops.h"
#include "train/ops/fast_paths.h"
#include "train/ops/product.h"
#include "train/ops/wide_type.h"

namespace fpo::train {
namespace {

struct Receivers {
  absl::Mutex mutex;
  std::unordered_map<const void*, GradientSum*> by_memory ABSL_GUARDED_BY(mutex);
};

Receivers& TheReceivers() {
  static Receivers* const receivers = new Receivers;
  return *receivers;
}

// On a GPU with kernels of our own, and LibTorch's deterministic sums of rows (cuda_settings.h).
bool HasSums(const at::Tensor& parameter) {
  return parameter.is_cpu() || CudaKernelsOf(parameter) != nullptr;
}

// fn(first row, rows of a in b's type): all at once, or as many as make a copy of bounded size.
template <typename Fn>
void ForEachWideRows(const at::Tensor& a, const at::Tensor& b, const Fn& fn) {
  if (a.scalar_type() == b.scalar_type()) return fn(0, a);
  constexpr int64_t kElements = int64_t{1} << 21, kLeastRows = 256;
  const int64_t rows = a.size(0), width = std::max<int64_t>({1, a.size(1), b.size(1)});
  const int64_t block = std::max(kLeastRows, kElements / width);
  for (int64_t row = 0; row < rows; row += block)
    fn(row, a.narrow(0, row, std::min(block, rows - row)).to(b.scalar_type()));
}

}  // namespace

GradientSum::GradientSum(const at::Tensor& parameter) : like_(parameter.detach()) {}

void GradientSum::Take(const at::Tensor& gradient) {
  const at::NoGradGuard no_grad;
  TORCH_CHECK(gradient.sizes() == like_.sizes() && gradient.scalar_type() == WideType(like_),
              "GradientSum: ", gradient.scalar_type(), " ", gradient.sizes(), " for a parameter ",
              like_.sizes());
  if (sum_.defined()) {
    sum_.add_(gradient);
  } else {
    sum_ = gradient.detach();
  }
}

void GradientSum::AddProduct(const at::Tensor& a, const at::Tensor& b) {
  const at::NoGradGuard no_grad;
  if (CudaKernelsOf(a) != nullptr) {
    Value();
    return AddWideProduct(sum_, a, b);
  }
  const at::Tensor right = b.to(WideType(like_));
  const bool first = !Reserve();
  ForEachWideRows(a, right, [&](int64_t row, const at::Tensor& left) {
    const at::Tensor own = sum_.narrow(0, row, left.size(0));
    first ? StoreMatrixProduct(own, left, right) : AddMatrixProduct(own, left, right);
  });
}

void GradientSum::AddRows(const at::Tensor& ids, const at::Tensor& rows) {
  const at::NoGradGuard no_grad;
  Value();
  sum_.index_add_(0, ids, rows);
}

const at::Tensor& GradientSum::Value() {
  if (!Reserve()) sum_.zero_();
  return sum_;
}

bool GradientSum::Reserve() {
  if (sum_.defined()) return true;
  const at::TensorOptions options = like_.options().dtype(WideType(like_)).requires_grad(false);
  sum_ = at::empty(like_.sizes(), options);
  return false;
}

GradientSumsInScope::GradientSumsInScope(const std::vector<at::Tensor>& parameters,
                                         std::vector<GradientSum>* sums) {
  if (!ActiveFastPaths().gradient_sums) return;
  Receivers& receivers = TheReceivers();
  absl::MutexLock lock(&receivers.mutex);
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!HasSums(parameters[i]) || parameters[i].numel() == 0) continue;
    const void* const key = parameters[i].const_data_ptr();
    if (receivers.by_memory.emplace(key, &(*sums)[i]).second) keys_.push_back(key);
  }
}

GradientSumsInScope::~GradientSumsInScope() {
  Receivers& receivers = TheReceivers();
  absl::MutexLock lock(&receivers.mutex);
  for (const void* key : keys_) receivers.by_memory.erase(key);
}

GradientSum* GradientSumOf(const at::Tensor& parameter) {
  if (!HasSums(parameter)) return nullptr;
  Receivers& receivers = TheReceivers();
  absl::MutexLock lock(&receivers.mutex);
  const auto found = receivers.by_memory.find(parameter.const_data_ptr());
  return found == receivers.by_memory.end() ? nullptr : found->second;
}

}  // namespace fpo::train
