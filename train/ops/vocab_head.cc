#include "train/ops/vocab_head.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "common/observe/work.h"
#include "train/ops/vocab_chunk.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct OptionsHolder : torch::CustomClassHolder {
  explicit OptionsHolder(const VocabHeadOptions& value) : options(value) {}
  VocabHeadOptions options;
};

VocabHeadOptions ReferenceOptions(const VocabHeadOptions& options) {
  VocabHeadOptions reference;
  reference.softcap = options.reference.softcap;
  reference.valid_vocab = options.valid_vocab;
  return reference;
}

VocabChunk ReferenceChunk(const VocabHeadOptions& options, int64_t first, int64_t count) {
  return VocabChunk(options.reference.hidden.narrow(0, first, count), options.reference.head,
                    ReferenceOptions(options));
}

// -sum p log p over the last dimension, for log-probs without -inf.
at::Tensor Entropy(const at::Tensor& log_probs) {
  return log_probs.exp().mul_(log_probs).sum(-1).neg_();
}

at::Tensor TopEntropy(const at::Tensor& log_probs, int64_t top) {
  const at::Tensor kept = std::get<0>(log_probs.topk(std::min(top, log_probs.size(-1)), -1));
  return Entropy(kept.log_softmax(-1));
}

// What forward computes per row, filled chunk by chunk.
struct Outputs {
  at::Tensor log_probs, entropy, entropy_top, kl, reference_log_probs;
  at::Tensor log_normalizer, reference_log_normalizer;  // for backward

  Outputs(int64_t rows, const at::TensorOptions& wide, const VocabHeadOptions& options) {
    const int64_t top = options.entropy_top > 0 ? rows : 0;
    const int64_t reference = options.reference.hidden.defined() ? rows : 0;
    for (at::Tensor* all : {&log_probs, &entropy, &log_normalizer}) *all = at::empty({rows}, wide);
    entropy_top = at::empty({top}, wide);
    for (at::Tensor* one : {&kl, &reference_log_probs, &reference_log_normalizer}) {
      *one = at::empty({reference}, wide);
    }
  }

  void Fill(const at::Tensor& target, VocabChunk chunk, const VocabHeadOptions& options,
            int64_t first);

 private:
  static void Store(const at::Tensor& into, int64_t first, const at::Tensor& values) {
    into.narrow(0, first, values.size(0)).copy_(values);
  }
};

// target: [count, 1]. Consumes the chunk's logits.
void Outputs::Fill(const at::Tensor& target, VocabChunk chunk, const VocabHeadOptions& options,
                   int64_t first) {
  const at::Tensor normalizer = chunk.LogNormalizer();
  Store(log_normalizer, first, normalizer);
  // Padded ids are left out of sums: they contribute 0 * -inf.
  const auto valid = [&](const at::Tensor& values) {
    return options.valid_vocab > 0 ? values.narrow(1, 0, options.valid_vocab) : values;
  };
  const at::Tensor log_p = valid(chunk.ToLogProbs(normalizer));
  Store(log_probs, first, log_p.gather(1, target).squeeze(1));
  Store(entropy, first, Entropy(log_p));
  if (options.entropy_top > 0) Store(entropy_top, first, TopEntropy(log_p, options.entropy_top));
  if (!options.reference.hidden.defined()) return;
  VocabChunk other = ReferenceChunk(options, first, target.size(0));
  const at::Tensor other_normalizer = other.LogNormalizer();
  Store(reference_log_normalizer, first, other_normalizer);
  const at::Tensor log_ref = valid(other.ToLogProbs(other_normalizer));
  Store(reference_log_probs, first, log_ref.gather(1, target).squeeze(1));
  Store(kl, first, log_p.sub_(log_ref).neg_().mul_(log_ref.exp_()).sum(-1));
}

// The row scales of backward: s = dL/d log-prob, kappa = dL/d KL, [rows]; undefined: 0.
struct RowScales {
  at::Tensor s, kappa;

  RowScales Narrow(int64_t first, int64_t count) const {
    const auto part = [&](const at::Tensor& x) {
      return x.defined() ? x.narrow(0, first, count) : x;
    };
    return {part(s), part(kappa)};
  }
};

// Whether each chunk of rows has a gradient through its KL; with a stop-gradient the chosen side
// has none. Read for all chunks at once: each read waits for the device.
std::vector<bool> ChunksWithKl(const at::Tensor& kappa, int64_t rows, int64_t chunk_rows) {
  std::vector<at::Tensor> any;
  for (int64_t first = 0; kappa.defined() && first < rows; first += chunk_rows) {
    any.push_back(kappa.narrow(0, first, std::min(chunk_rows, rows - first)).ne(0).any());
  }
  std::vector<bool> chunks((rows + chunk_rows - 1) / chunk_rows, false);
  if (any.empty()) return chunks;
  const at::Tensor values = at::stack(any).cpu();
  for (size_t i = 0; i < chunks.size(); ++i) chunks[i] = values.const_data_ptr<bool>()[i];
  return chunks;
}

// dL/dz' = s (1[v = target] - p) + kappa (p - p_ref), [rows, vocab]: the part without p_ref.
at::Tensor LogitGradient(const VocabChunk& chunk, const at::Tensor& target,
                         const at::Tensor& log_normalizer, const RowScales& scales) {
  const at::Tensor zero = at::zeros_like(log_normalizer);
  const at::Tensor s = scales.s.defined() ? scales.s : zero;
  const at::Tensor kappa = scales.kappa.defined() ? scales.kappa : zero;
  at::Tensor gradient = (chunk.logits() - log_normalizer.unsqueeze(1)).exp_();
  gradient.mul_((kappa - s).unsqueeze(1));
  gradient.scatter_add_(1, target, s.unsqueeze(1));
  return gradient;
}

struct VocabHeadFunction : torch::autograd::Function<VocabHeadFunction> {
  static variable_list forward(AutogradContext* context, const at::Tensor& hidden,
                               const at::Tensor& weight, const at::Tensor& targets,
                               const VocabHeadOptions& options) {
    const int64_t rows = hidden.size(0);
    Outputs out(rows, hidden.options().dtype(WideType(hidden)), options);
    Work work("vocabulary head", rows, "rows");
    for (int64_t first = 0; first < rows; first += options.chunk_rows) {
      const int64_t count = std::min(options.chunk_rows, rows - first);
      out.Fill(targets.narrow(0, first, count).unsqueeze(1),
               VocabChunk(hidden.narrow(0, first, count), weight, options), options, first);
      work.Advance(count);
    }
    context->save_for_backward(
        {hidden, weight, targets, out.log_normalizer, out.reference_log_normalizer});
    context->saved_data["options"] =
        c10::IValue::make_capsule(c10::make_intrusive<OptionsHolder>(options));
    context->set_materialize_grads(false);
    context->mark_non_differentiable({out.entropy, out.entropy_top, out.reference_log_probs});
    return {out.log_probs, out.kl, out.entropy, out.entropy_top, out.reference_log_probs};
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto holder = context->saved_data["options"].toCapsule();
    const VocabHeadOptions& options = static_cast<const OptionsHolder&>(*holder).options;
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &hidden = saved[0], &weight = saved[1];
    const auto wide = WideType(hidden);
    const auto widened = [&](const at::Tensor& x) { return x.defined() ? x.to(wide) : x; };
    const RowScales scales = {widened(grads[0]), widened(grads[1])};
    at::Tensor grad_hidden, grad_weight;
    if (context->needs_input_grad(0))
      grad_hidden = at::zeros_like(hidden, hidden.options().dtype(wide));
    if (context->needs_input_grad(1))
      grad_weight = at::zeros_like(weight, weight.options().dtype(wide));
    Work work("vocabulary head", hidden.size(0), "rows");
    const std::vector<bool> has_kl = ChunksWithKl(scales.kappa, hidden.size(0), options.chunk_rows);
    for (int64_t first = 0; first < hidden.size(0); first += options.chunk_rows) {
      work.SetDone(first);
      const int64_t count = std::min(options.chunk_rows, hidden.size(0) - first);
      const auto part = [&](const at::Tensor& x) { return x.narrow(0, first, count); };
      const RowScales own = scales.Narrow(first, count);
      VocabChunk chunk(part(hidden), weight, options);
      at::Tensor gradient = LogitGradient(chunk, part(saved[2]).unsqueeze(1), part(saved[3]), own);
      if (has_kl[first / options.chunk_rows]) {  // else it needs no second head
        VocabChunk other = ReferenceChunk(options, first, count);
        at::Tensor p_ref = other.ToLogProbs(part(saved[4]));
        gradient.sub_(p_ref.exp_().mul_(own.kappa.unsqueeze(1)));
      }
      chunk.ApplySoftcapDerivative(&gradient);
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

void CheckHead(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets) {
  TORCH_CHECK(hidden.dim() == 2 && weight.dim() == 2 && hidden.size(1) == weight.size(1) &&
                  targets.dim() == 1 && targets.size(0) == hidden.size(0),
              "TokenLogProbs: hidden ", hidden.sizes(), ", weight ", weight.sizes(), ", targets ",
              targets.sizes());
  TORCH_CHECK(hidden.scalar_type() == weight.scalar_type(), "TokenLogProbs: hidden is ",
              hidden.scalar_type(), ", weight is ", weight.scalar_type());
}

void CheckOptions(const at::Tensor& weight, const at::Tensor& targets,
                  const VocabHeadOptions& options) {
  TORCH_CHECK(options.chunk_rows > 0, "TokenLogProbs: chunk_rows ", options.chunk_rows);
  const int64_t vocab = options.valid_vocab > 0 ? options.valid_vocab : weight.size(0);
  TORCH_CHECK(vocab <= weight.size(0), "TokenLogProbs: valid_vocab ", vocab, " exceeds ",
              weight.size(0));
  TORCH_CHECK(!targets.is_cpu() || targets.numel() == 0 ||
                  (targets.min().item<int64_t>() >= 0 && targets.max().item<int64_t>() < vocab),
              "TokenLogProbs: a target is outside the vocabulary of ", vocab);
  const VocabReference& reference = options.reference;
  if (!reference.hidden.defined()) return;
  CheckHead(reference.hidden, reference.head, targets);
  TORCH_CHECK(reference.head.size(0) == weight.size(0), "TokenLogProbs: the reference has ",
              reference.head.size(0), " token ids, the policy ", weight.size(0));
}

}  // namespace

TokenScores TokenLogProbs(const at::Tensor& hidden, const at::Tensor& weight,
                          const at::Tensor& targets, const VocabHeadOptions& options) {
  CheckHead(hidden, weight, targets);
  CheckOptions(weight, targets, options);
  const variable_list result = VocabHeadFunction::apply(hidden, weight, targets, options);
  TokenScores scores;
  scores.log_probs = result[0];
  scores.entropy = result[2];
  if (options.entropy_top > 0) scores.entropy_top = result[3];
  if (!options.reference.hidden.defined()) return scores;
  scores.kl = result[1];
  scores.reference_log_probs = result[4];
  return scores;
}

}  // namespace fpo::train
