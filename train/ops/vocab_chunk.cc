#include "train/ops/vocab_chunk.h"

#include <ATen/ATen.h>

#include <limits>

namespace fpo::train {

VocabChunk::VocabChunk(const at::Tensor& hidden, const at::Tensor& head,
                       const VocabHeadOptions& options)
    : hidden_(hidden.to(WideType(hidden))), cap_(options.softcap) {
  logits_ = at::empty({hidden.size(0), head.size(0)}, hidden_.options());
  ForEachWidened(head, [this](int64_t first, const at::Tensor& block) {
    at::Tensor part = logits_.narrow(1, first, block.size(0));
    at::mm_out(part, hidden_, block.t());
  });
  if (cap_ > 0) logits_.div_(cap_).tanh_().mul_(cap_);
  if (options.valid_vocab > 0 && options.valid_vocab < head.size(0)) {
    logits_.narrow(1, options.valid_vocab, head.size(0) - options.valid_vocab)
        .fill_(-std::numeric_limits<double>::infinity());
  }
}

const at::Tensor& VocabChunk::ToLogProbs(const at::Tensor& log_normalizer) {
  return logits_.sub_(log_normalizer.unsqueeze(1));
}

void VocabChunk::ApplySoftcapDerivative(at::Tensor* gradient) {
  if (cap_ > 0) gradient->mul_(logits_.div_(cap_).square_().neg_().add_(1).clamp_(0, 1));
}

}  // namespace fpo::train
