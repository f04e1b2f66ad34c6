#include "train/ops/vocab_chunk.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <limits>

#include "train/cuda/cuda_ops.h"
#include "train/ops/fast_paths.h"
#include "train/ops/product.h"

namespace fpo::train {
namespace {

// fn(row, first logit of the row) on all threads. A row's result does not depend on who computes
// it.
template <typename Fn>
void ForEachRow(const at::Tensor& logits, const Fn& fn) {
  float* const data = logits.mutable_data_ptr<float>();
  const int64_t vocab = logits.size(1);
  at::parallel_for(0, logits.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) fn(row, data + row * vocab);
  });
}

at::Tensor OrZeros(const at::Tensor& values, const at::Tensor& like) {
  return values.defined() ? values : at::zeros_like(like);
}

}  // namespace

VocabChunk::VocabChunk(const at::Tensor& hidden, const at::Tensor& head,
                       const VocabHeadOptions& options)
    : cuda_(CudaKernelsOf(hidden)),
      hidden_(cuda_ != nullptr ? hidden : hidden.to(WideType(hidden))),
      cap_(options.softcap),
      valid_(options.valid_vocab > 0 ? options.valid_vocab : head.size(0)),
      kernels_(KernelsOf(hidden_)) {
  if (cuda_ != nullptr) {
    logits_ = WideProduct(hidden_, head.t());
  } else if (head.scalar_type() == hidden_.scalar_type()) {
    logits_ = MatrixProduct(hidden_, head.t());
  } else {
    logits_ = at::empty({hidden.size(0), head.size(0)}, hidden_.options());
    ForEachWidened(head, [this](int64_t first, const at::Tensor& block) {
      at::Tensor part = logits_.narrow(1, first, block.size(0));
      at::mm_out(part, hidden_, block.t());
    });
  }
  if (IsMeasured()) {
    Measure();
  } else if (cap_ > 0) {
    logits_.div_(cap_).tanh_().mul_(cap_);
  }
  if (valid_ < head.size(0)) {
    logits_.narrow(1, valid_, head.size(0) - valid_)
        .fill_(-std::numeric_limits<double>::infinity());
  }
}

void VocabChunk::Measure() {
  if (cuda_ != nullptr) {
    const LogitSumsOnCuda sums = MeasureByCuda(*cuda_, {logits_, valid_, cap_});
    log_normalizer_ = sums.log_normalizer;
    entropy_ = sums.entropy;
    return;
  }
  log_normalizer_ = at::empty({logits_.size(0)}, logits_.options());
  entropy_ = at::empty_like(log_normalizer_);
  float* const normalizer = log_normalizer_.mutable_data_ptr<float>();
  float* const entropy = entropy_.mutable_data_ptr<float>();
  ForEachRow(logits_, [&](int64_t row, float* logits) {
    const LogitSums sums = kernels_->measure_logits({logits, valid_, static_cast<float>(cap_)});
    normalizer[row] = static_cast<float>(sums.log_normalizer);
    entropy[row] = static_cast<float>(sums.entropy);
  });
}

at::Tensor VocabChunk::LogNormalizer() const {
  return log_normalizer_.defined() ? log_normalizer_ : logits_.logsumexp(-1);
}

at::Tensor VocabChunk::LogProbs(const at::Tensor& target, const at::Tensor& log_normalizer) const {
  return logits_.gather(1, target.unsqueeze(1)).squeeze(1) - log_normalizer;
}

at::Tensor VocabChunk::Kl(const VocabChunk& reference) const {
  if (cuda_ != nullptr) {
    return KlByCuda(
        *cuda_, {logits_, reference.logits_, valid_, log_normalizer_, reference.log_normalizer_});
  }
  at::Tensor kl = at::empty_like(log_normalizer_);
  float* const out = kl.mutable_data_ptr<float>();
  const float* const own = log_normalizer_.const_data_ptr<float>();
  const float* const other = reference.log_normalizer_.const_data_ptr<float>();
  const float* const logits = logits_.const_data_ptr<float>();
  ForEachRow(reference.logits_, [&](int64_t row, const float* reference_logits) {
    out[row] = static_cast<float>(kernels_->kl_of_logits(
        {logits + row * logits_.size(1), reference_logits, valid_, own[row], other[row]}));
  });
  return kl;
}

VocabChunk VocabChunk::Clone() const {
  VocabChunk copy = *this;
  copy.logits_ = logits_.clone();
  return copy;
}

const at::Tensor& VocabChunk::ToLogProbs(const at::Tensor& log_normalizer) {
  return logits_.sub_(log_normalizer.unsqueeze(1));
}

at::Tensor VocabChunk::ToGradient(const Gradient& gradient, const ReferenceSide* reference) {
  if (cuda_ != nullptr) {
    LogitGradientOnCuda on_cuda = {{logits_, valid_, cap_},
                                   gradient.target,
                                   gradient.log_normalizer,
                                   gradient.s,
                                   gradient.kappa,
                                   {},
                                   {}};
    if (reference != nullptr) {
      on_cuda.reference = reference->chunk->logits_;
      on_cuda.reference_log_normalizer = reference->log_normalizer;
    }
    return LogitGradientByCuda(*cuda_, on_cuda, hidden_.scalar_type() == at::kBFloat16);
  }
  if (kernels_ != nullptr) {
    GradientByKernels(gradient, reference);
    return logits_;
  }
  const at::Tensor s = OrZeros(gradient.s, gradient.log_normalizer);
  const at::Tensor kappa = OrZeros(gradient.kappa, gradient.log_normalizer);
  at::Tensor result = (logits_ - gradient.log_normalizer.unsqueeze(1)).exp_();
  result.mul_((kappa - s).unsqueeze(1));
  result.scatter_add_(1, gradient.target.unsqueeze(1), s.unsqueeze(1));
  if (reference != nullptr) {
    at::Tensor p_ref = reference->chunk->ToLogProbs(reference->log_normalizer);
    result.sub_(p_ref.exp_().mul_(kappa.unsqueeze(1)));
  }
  ApplySoftcapDerivative(&result);
  return result;
}

void VocabChunk::GradientByKernels(const Gradient& gradient, const ReferenceSide* reference) {
  const auto floats = [](const at::Tensor& x) { return x.to(at::kFloat).contiguous(); };
  const at::Tensor s = floats(OrZeros(gradient.s, gradient.log_normalizer));
  const at::Tensor kappa = floats(OrZeros(gradient.kappa, gradient.log_normalizer));
  const at::Tensor normalizer = gradient.log_normalizer.contiguous();
  const at::Tensor target = gradient.target.contiguous();
  const float* other = nullptr;
  at::Tensor other_normalizer = normalizer;
  if (reference != nullptr) {
    other = reference->chunk->logits_.const_data_ptr<float>();
    other_normalizer = reference->log_normalizer.contiguous();
  }
  const int64_t vocab = logits_.size(1);
  const auto at_row = [](const at::Tensor& x, int64_t row) {
    return x.const_data_ptr<float>()[row];
  };
  ForEachRow(logits_, [&](int64_t row, float* logits) {
    kernels_->logits_to_gradient(
        {logits, valid_, static_cast<float>(cap_)},
        {target.const_data_ptr<int64_t>()[row], at_row(normalizer, row), at_row(s, row),
         at_row(kappa, row), other == nullptr ? nullptr : other + row * vocab,
         at_row(other_normalizer, row)});
    std::fill(logits + valid_, logits + vocab, 0.0F);
  });
}

void VocabChunk::ApplySoftcapDerivative(at::Tensor* gradient) {
  if (cap_ > 0) gradient->mul_(logits_.div_(cap_).square_().neg_().add_(1).clamp_(0, 1));
}

}  // namespace fpo::train
