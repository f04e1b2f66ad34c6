#include "train/ops/vocab_head.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "common/observe/work.h"
#include "train/ops/fast_paths.h"
#include "train/ops/gradient_sum.h"
#include "train/ops/head_gradients.h"
#include "train/ops/vocab_chunk.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

VocabHeadOptions ReferenceOptions(const VocabHeadOptions& options) {
  VocabHeadOptions reference;
  reference.softcap = options.reference.softcap;
  reference.valid_vocab = options.valid_vocab;
  return reference;
}

// -sum p log p over the last dimension, for log-probs without -inf.
at::Tensor Entropy(const at::Tensor& log_probs) {
  return log_probs.exp().mul_(log_probs).sum(-1).neg_();
}

// `logits` may be off by a constant in each row.
at::Tensor TopEntropy(const at::Tensor& logits, int64_t top) {
  const at::Tensor kept = std::get<0>(logits.topk(std::min(top, logits.size(-1)), -1));
  return Entropy(kept.log_softmax(-1));
}

int64_t CountRows(const RowChunk& chunk) {
  int64_t rows = 0;
  for (const RowRange& range : chunk) rows += range.count;
  return rows;
}

std::vector<RowChunk> EqualChunks(int64_t rows, int64_t chunk_rows) {
  std::vector<RowChunk> chunks;
  for (int64_t first = 0; first < rows; first += chunk_rows) {
    chunks.push_back({{first, std::min(chunk_rows, rows - first)}});
  }
  return chunks;
}

VocabChunk ReferenceChunk(const VocabHeadOptions& options, const ChunkRows& rows) {
  return VocabChunk(rows.Of(options.reference.hidden), options.reference.head,
                    ReferenceOptions(options));
}

struct ScoredRows {
  const ChunkRows& rows;
  const at::Tensor& target;  // [rows]
  VocabChunk* chunk;
  VocabChunk* other;  // of the reference, or null
};

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

  void Fill(const ScoredRows& scored, const VocabHeadOptions& options);
};

// Without kernels it consumes both chunks' logits.
void Outputs::Fill(const ScoredRows& scored, const VocabHeadOptions& options) {
  const auto& [rows, target, chunk, other] = scored;
  // Padded ids are left out of sums: they contribute 0 * -inf.
  const auto valid = [&](const at::Tensor& values) {
    return options.valid_vocab > 0 ? values.narrow(1, 0, options.valid_vocab) : values;
  };
  const at::Tensor normalizer = chunk->LogNormalizer();
  rows.Store(normalizer, log_normalizer);
  rows.Store(chunk->LogProbs(target, normalizer), log_probs);
  if (options.entropy_top > 0) {
    rows.Store(TopEntropy(valid(chunk->logits()), options.entropy_top), entropy_top);
  }
  at::Tensor log_p;
  if (!chunk->measured()) log_p = valid(chunk->ToLogProbs(normalizer));
  rows.Store(chunk->measured() ? chunk->entropy() : Entropy(log_p), entropy);
  if (other == nullptr) return;
  const at::Tensor other_normalizer = other->LogNormalizer();
  rows.Store(other_normalizer, reference_log_normalizer);
  rows.Store(other->LogProbs(target, other_normalizer), reference_log_probs);
  if (chunk->measured()) return rows.Store(chunk->Kl(*other), kl);
  const at::Tensor log_ref = valid(other->ToLogProbs(other_normalizer));
  rows.Store(log_p.sub_(log_ref).neg_().mul_(log_ref.exp_()).sum(-1), kl);
}

// The row scales of backward: s = dL/d log-prob, kappa = dL/d KL, [rows]; undefined: 0.
struct RowScales {
  at::Tensor s, kappa;

  static at::Tensor Narrow(const at::Tensor& all, const ChunkRows& rows) {
    return all.defined() ? rows.Of(all) : all;
  }
};

// Whether each chunk of rows has a gradient through its KL; with a stop-gradient the chosen side
// has none. Read for all chunks at once: each read waits for the device.
std::vector<bool> ChunksWithKl(const at::Tensor& kappa, const std::vector<RowChunk>& chunks) {
  std::vector<bool> with_kl(chunks.size(), false);
  if (!kappa.defined() || chunks.empty()) return with_kl;
  std::vector<at::Tensor> any;
  for (const RowChunk& chunk : chunks) any.push_back(ChunkRows{chunk}.Of(kappa).ne(0).any());
  const at::Tensor values = at::stack(any).cpu();
  for (size_t i = 0; i < with_kl.size(); ++i) with_kl[i] = values.const_data_ptr<bool>()[i];
  return with_kl;
}

// Whether two gradients of a loss are the same to rounding. `one` undefined: 0.
bool IsSameGradient(const at::Tensor& one, const at::Tensor& other) {
  constexpr double kRounding = 1e-5;
  if (!one.defined() || one.numel() == 0) {
    return !other.defined() || other.numel() == 0 || other.eq(0).all().item<bool>();
  }
  if (!other.defined()) return one.eq(0).all().item<bool>();
  return (one - other).abs().le(one.abs() * kRounding).all().item<bool>();
}

// A forward that makes gradients as well: what backward checks and returns.
struct EagerGradients {
  HeadGradients gradients;
  RowScales scales;  // of the loss that they are for

  EagerGradients(const at::Tensor& hidden, const at::Tensor& weight,
                 const VocabHeadOptions& options) {
    gradients.Want(hidden, weight, hidden.requires_grad(), weight.requires_grad());
    const auto wide = hidden.options().dtype(WideType(hidden)).requires_grad(false);
    scales.s = at::zeros({hidden.size(0)}, wide);
    if (options.reference.hidden.defined()) scales.kappa = at::zeros({hidden.size(0)}, wide);
  }

  // Consumes both chunks' logits.
  void Add(const ChunkRows& rows, const Outputs& out, const ChunkGradients& loss,
           const at::Tensor& target, VocabChunk* chunk, VocabChunk* other, const at::Tensor& head) {
    const auto keep = [&](const at::Tensor& values, const at::Tensor& into) {
      if (values.defined() && into.defined()) rows.Store(values, into);
      return into.defined() ? rows.Of(into) : into;
    };
    const VocabChunk::Gradient own = {target, rows.Of(out.log_normalizer),
                                      keep(loss.log_probs, scales.s), keep(loss.kl, scales.kappa)};
    VocabChunk::ReferenceSide side = {other, {}};
    const bool with_kl = other != nullptr && loss.kl.defined();
    if (with_kl) side.log_normalizer = rows.Of(out.reference_log_normalizer);
    gradients.Add(rows, chunk->ToGradient(own, with_kl ? &side : nullptr), *chunk, head);
  }
};

// What forward keeps for backward besides tensors.
struct Kept : torch::CustomClassHolder {
  Kept(const VocabHeadOptions& head, std::optional<EagerGradients> made)
      : options(head), eager(std::move(made)) {
    options.loss = {};  // what it refers to may be gone by then
  }
  VocabHeadOptions options;
  std::optional<EagerGradients> eager;
};

struct VocabHeadFunction : torch::autograd::Function<VocabHeadFunction> {
  static variable_list forward(AutogradContext* context, const at::Tensor& hidden,
                               const at::Tensor& weight, const at::Tensor& targets,
                               const VocabHeadOptions& options) {
    const int64_t rows = hidden.size(0);
    Outputs out(rows, hidden.options().dtype(WideType(hidden)), options);
    std::optional<EagerGradients> eager;
    if (options.loss) eager.emplace(hidden, weight, options);
    Work work("vocabulary head", rows, "rows");
    for (size_t i = 0; i < options.chunks.size(); ++i) {
      ScoreChunk({hidden, weight, targets, options}, i, &out, eager ? &*eager : nullptr);
      work.Advance(CountRows(options.chunks[i]));
    }
    context->save_for_backward(
        {hidden, weight, targets, out.log_normalizer, out.reference_log_normalizer});
    context->saved_data["kept"] =
        c10::IValue::make_capsule(c10::make_intrusive<Kept>(options, std::move(eager)));
    context->set_materialize_grads(false);
    context->mark_non_differentiable({out.entropy, out.entropy_top, out.reference_log_probs});
    return {out.log_probs, out.kl, out.entropy, out.entropy_top, out.reference_log_probs};
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto capsule = context->saved_data["kept"].toCapsule();
    Kept& kept = static_cast<Kept&>(*capsule);
    // Moved, so that the gradients are nobody else's and need no copy. A second backward computes.
    const std::optional<EagerGradients> eager = std::exchange(kept.eager, std::nullopt);
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &hidden = saved[0], &weight = saved[1];
    const auto wide = WideType(hidden);
    const auto widened = [&](const at::Tensor& x) { return x.defined() ? x.to(wide) : x; };
    const RowScales scales = {widened(grads[0]), widened(grads[1])};
    HeadGradients gradients;
    if (eager && IsSameGradient(eager->scales.s, scales.s) &&
        IsSameGradient(eager->scales.kappa, scales.kappa)) {
      gradients = eager->gradients;
    } else {
      gradients.Want(hidden, weight, context->needs_input_grad(0), context->needs_input_grad(1));
      ComputeAgain({hidden, weight, saved[2], kept.options}, {saved[3], saved[4]}, scales,
                   &gradients);
    }
    const auto rounded = [](const at::Tensor& x, const at::Tensor& like) {
      return x.defined() ? x.to(like.scalar_type()) : x;
    };
    const at::Tensor grad_hidden = rounded(gradients.hidden, hidden);
    GradientSum* const sum = gradients.weight.defined() ? GradientSumOf(weight) : nullptr;
    if (sum == nullptr) {
      return {grad_hidden, rounded(gradients.weight, weight), at::Tensor(), at::Tensor()};
    }
    sum->Take(gradients.weight);
    return {grad_hidden, at::Tensor(), at::Tensor(), at::Tensor()};
  }

 private:
  struct Inputs {
    const at::Tensor &hidden, &weight, &targets;
    const VocabHeadOptions& options;
  };
  struct Normalizers {
    const at::Tensor &own, &reference;
  };

  static void ScoreChunk(const Inputs& in, size_t index, Outputs* out, EagerGradients* eager) {
    const ChunkRows rows = {in.options.chunks[index]};
    const at::Tensor target = rows.Of(in.targets);
    VocabChunk chunk(rows.Of(in.hidden), in.weight, in.options);
    std::optional<VocabChunk> other;
    if (in.options.reference.hidden.defined()) other = ReferenceChunk(in.options, rows);
    // Without kernels the scores consume the logits.
    const bool copy = eager != nullptr && !chunk.measured();
    VocabChunk scored = copy ? chunk.Clone() : chunk;
    std::optional<VocabChunk> scored_other = copy && other ? other->Clone() : other;
    out->Fill({rows, target, &scored, scored_other ? &*scored_other : nullptr}, in.options);
    if (eager == nullptr) return;
    ChunkScores scores = {rows.Of(out->log_probs), {}, {}};
    if (other) {
      scores.kl = rows.Of(out->kl);
      scores.reference_log_probs = rows.Of(out->reference_log_probs);
    }
    eager->Add(rows, *out, in.options.loss(index, scores), target, &chunk,
               other ? &*other : nullptr, in.weight);
  }

  static void ComputeAgain(const Inputs& in, const Normalizers& normalizers,
                           const RowScales& scales, HeadGradients* gradients) {
    Work work("vocabulary head", in.hidden.size(0), "rows");
    const std::vector<bool> has_kl = ChunksWithKl(scales.kappa, in.options.chunks);
    for (size_t i = 0; i < in.options.chunks.size(); ++i) {
      const ChunkRows rows = {in.options.chunks[i]};
      VocabChunk chunk(rows.Of(in.hidden), in.weight, in.options);
      const VocabChunk::Gradient own = {rows.Of(in.targets), rows.Of(normalizers.own),
                                        RowScales::Narrow(scales.s, rows),
                                        RowScales::Narrow(scales.kappa, rows)};
      at::Tensor gradient;
      if (has_kl[i]) {  // else it needs no second head
        VocabChunk other = ReferenceChunk(in.options, rows);
        const VocabChunk::ReferenceSide side = {&other, rows.Of(normalizers.reference)};
        gradient = chunk.ToGradient(own, &side);
      } else {
        gradient = chunk.ToGradient(own, nullptr);
      }
      gradients->Add(rows, gradient, chunk, in.weight);
      work.Advance(CountRows(in.options.chunks[i]));
    }
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
  int64_t rows = 0;
  for (const RowChunk& chunk : options.chunks) rows += CountRows(chunk);
  TORCH_CHECK(options.chunks.empty() || rows == targets.size(0), "TokenLogProbs: chunks of ", rows,
              " rows for ", targets.size(0));
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
  VocabHeadOptions chunked = options;
  if (chunked.chunks.empty()) chunked.chunks = EqualChunks(hidden.size(0), options.chunk_rows);
  const bool trains = at::GradMode::is_enabled() && hidden.requires_grad() &&
                      (hidden.is_cpu() || CudaKernelsOf(hidden) != nullptr);
  if (!trains || !ActiveFastPaths().one_head) chunked.loss = {};
  const variable_list result = VocabHeadFunction::apply(hidden, weight, targets, chunked);
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
