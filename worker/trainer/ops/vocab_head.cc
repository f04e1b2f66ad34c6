#include "worker/trainer/ops/vocab_head.h"

#include <algorithm>
#include <limits>

#include "worker/trainer/pch.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// A weight of lower precision is widened this many vocabulary rows at a time: float32 logits
// without a float32 copy of the head.
constexpr int64_t kWidenRows = 16384;

at::ScalarType WideType(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// Calls fn(first, block) for blocks of vocabulary rows, widened.
template <typename Fn>
void ForEachWidened(const at::Tensor& weight, const Fn& fn) {
  const at::ScalarType wide = WideType(weight);
  if (weight.scalar_type() == wide) return fn(int64_t{0}, weight);
  for (int64_t first = 0; first < weight.size(0); first += kWidenRows) {
    const int64_t rows = std::min(kWidenRows, weight.size(0) - first);
    fn(first, weight.narrow(0, first, rows).to(wide));
  }
}

// One chunk of rows: capped logits and, when kept, the softcap's derivative.
class Chunk {
 public:
  Chunk(const at::Tensor& hidden, const at::Tensor& weight, const VocabHeadOptions& options)
      : hidden_(hidden.to(WideType(hidden))), cap_(options.softcap) {
    logits_ = at::empty({hidden.size(0), weight.size(0)}, hidden_.options());
    ForEachWidened(weight, [this](int64_t first, const at::Tensor& block) {
      at::Tensor part = logits_.narrow(1, first, block.size(0));
      at::mm_out(part, hidden_, block.t());
    });
    if (cap_ > 0) logits_.div_(cap_).tanh_().mul_(cap_);
    if (options.valid_vocab > 0 && options.valid_vocab < weight.size(0)) {
      logits_.narrow(1, options.valid_vocab, weight.size(0) - options.valid_vocab)
          .fill_(-std::numeric_limits<double>::infinity());
    }
  }

  const at::Tensor& hidden() const { return hidden_; }
  const at::Tensor& logits() const { return logits_; }

  // Turns the capped logits z' into dL/dz = s (1[v = target] - p) (1 - (z'/cap)^2), in place. s,
  // log_normalizer: [rows].
  at::Tensor LogitGradient(const at::Tensor& targets, const at::Tensor& log_normalizer,
                           const at::Tensor& s) {
    at::Tensor gradient =
        (logits_ - log_normalizer.unsqueeze(1)).exp_().mul_(s.unsqueeze(1)).neg_();
    gradient.scatter_add_(1, targets.unsqueeze(1), s.unsqueeze(1));
    if (cap_ > 0) {
      // A padded id has z' = -inf; its probability is 0 and stays so.
      gradient.mul_(logits_.div_(cap_).square_().neg_().add_(1).clamp_(0, 1));
    }
    return gradient;
  }

 private:
  at::Tensor hidden_;
  double cap_;
  at::Tensor logits_;
};

struct VocabHeadFunction : torch::autograd::Function<VocabHeadFunction> {
  static variable_list forward(AutogradContext* context, const at::Tensor& hidden,
                               const at::Tensor& weight, const at::Tensor& targets,
                               const VocabHeadOptions& options) {
    const int64_t rows = hidden.size(0);
    const auto wide = hidden.options().dtype(WideType(hidden));
    const at::Tensor log_probs = at::empty({rows}, wide), entropy = at::empty({rows}, wide);
    const at::Tensor log_normalizer = at::empty({rows}, wide);
    for (int64_t first = 0; first < rows; first += options.chunk_rows) {
      const int64_t count = std::min(options.chunk_rows, rows - first);
      const Chunk chunk(hidden.narrow(0, first, count), weight, options);
      const at::Tensor normalizer = chunk.logits().logsumexp(-1);
      const at::Tensor chosen =
          chunk.logits().gather(1, targets.narrow(0, first, count).unsqueeze(1)).squeeze(1);
      log_normalizer.narrow(0, first, count).copy_(normalizer);
      log_probs.narrow(0, first, count).copy_(chosen - normalizer);
      // H = lse - sum p z'; padded ids contribute 0 * -inf, which must be 0.
      at::Tensor p = (chunk.logits() - normalizer.unsqueeze(1)).exp_();
      at::Tensor expected = p.mul_(chunk.logits());
      if (options.valid_vocab > 0) expected = expected.narrow(1, 0, options.valid_vocab);
      entropy.narrow(0, first, count).copy_(normalizer - expected.sum(-1));
    }
    context->save_for_backward({hidden, weight, targets, log_normalizer});
    context->saved_data["softcap"] = options.softcap;
    context->saved_data["chunk_rows"] = options.chunk_rows;
    context->saved_data["valid_vocab"] = options.valid_vocab;
    context->mark_non_differentiable({entropy});
    return {log_probs, entropy};
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &hidden = saved[0], &weight = saved[1];
    VocabHeadOptions options;
    options.softcap = context->saved_data["softcap"].toDouble();
    options.chunk_rows = context->saved_data["chunk_rows"].toInt();
    options.valid_vocab = context->saved_data["valid_vocab"].toInt();
    const auto wide = WideType(hidden);
    at::Tensor grad_hidden, grad_weight;
    if (context->needs_input_grad(0))
      grad_hidden = at::zeros_like(hidden, hidden.options().dtype(wide));
    if (context->needs_input_grad(1))
      grad_weight = at::zeros_like(weight, weight.options().dtype(wide));
    for (int64_t first = 0; first < hidden.size(0); first += options.chunk_rows) {
      const int64_t count = std::min(options.chunk_rows, hidden.size(0) - first);
      const auto part = [&](const at::Tensor& x) { return x.narrow(0, first, count); };
      Chunk chunk(part(hidden), weight, options);
      const at::Tensor gradient =
          chunk.LogitGradient(part(saved[2]), part(saved[3]), part(grads[0].to(wide)));
      if (grad_weight.defined()) grad_weight.addmm_(gradient.t(), chunk.hidden());
      if (!grad_hidden.defined()) continue;
      at::Tensor target = part(grad_hidden);
      ForEachWidened(weight, [&](int64_t column, const at::Tensor& block) {
        target.addmm_(gradient.narrow(1, column, block.size(0)), block);
      });
    }
    if (grad_hidden.defined()) grad_hidden = grad_hidden.to(hidden.scalar_type());
    if (grad_weight.defined()) grad_weight = grad_weight.to(weight.scalar_type());
    return {grad_hidden, grad_weight, at::Tensor(), at::Tensor()};
  }
};

}  // namespace

TokenScores TokenLogProbs(const at::Tensor& hidden, const at::Tensor& weight,
                          const at::Tensor& targets, const VocabHeadOptions& options) {
  TORCH_CHECK(hidden.dim() == 2 && weight.dim() == 2 && hidden.size(1) == weight.size(1) &&
                  targets.dim() == 1 && targets.size(0) == hidden.size(0),
              "TokenLogProbs: hidden ", hidden.sizes(), ", weight ", weight.sizes(), ", targets ",
              targets.sizes());
  TORCH_CHECK(hidden.scalar_type() == weight.scalar_type(), "TokenLogProbs: hidden is ",
              hidden.scalar_type(), ", weight is ", weight.scalar_type());
  TORCH_CHECK(options.chunk_rows > 0, "TokenLogProbs: chunk_rows ", options.chunk_rows);
  const int64_t vocab = options.valid_vocab > 0 ? options.valid_vocab : weight.size(0);
  TORCH_CHECK(vocab <= weight.size(0), "TokenLogProbs: valid_vocab ", vocab, " exceeds ",
              weight.size(0));
  TORCH_CHECK(targets.numel() == 0 ||
                  (targets.min().item<int64_t>() >= 0 && targets.max().item<int64_t>() < vocab),
              "TokenLogProbs: a target is outside the vocabulary of ", vocab);
  const variable_list result = VocabHeadFunction::apply(hidden, weight, targets, options);
  return {result[0], result[1]};
}

}  // namespace fpo::train
