#include "common/plan/memory_walk.h"

#include <algorithm>
#include <numeric>

namespace fpo {
namespace {

constexpr int64_t kWide = 4;  // bytes of a float32
constexpr auto kActs = MemoryUse::kActivations;
constexpr auto kGrads = MemoryUse::kGradients;
constexpr auto kHead = MemoryUse::kHead;
constexpr auto kSae = MemoryUse::kSae;
constexpr auto kTemp = MemoryUse::kTemporary;

// Forward and backward of one micro-batch. Function by function as train/model and train/ops have
// them; a change there that keeps another tensor belongs here too.
class StepWalk {
 public:
  StepWalk(const StepSizes& step, const BatchSizes& batch)
      : step_(step),
        model_(step.model),
        compute_(step.compute),
        batch_(batch),
        scored_(batch.scored_rows()) {}

  void Train(bool has_gradients);
  void Score();
  const MemoryUses& peak() const { return walk_.peak(); }

 private:
  // Rows that a block computes, and those whose results are read.
  struct Rows {
    int64_t all, read;
  };
  Rows RowsOf(int64_t layer) const {
    return {batch_.rows, layer + 1 == model_.layers ? batch_.kept_rows : batch_.rows};
  }
  int64_t Bytes(int64_t rows, int64_t width) const { return rows * width * compute_.element_bytes; }
  int64_t Hidden(int64_t rows) const { return Bytes(rows, model_.hidden); }
  int64_t Kept(Rows rows) const;
  int64_t KeptByAttention(Rows rows) const;
  int64_t NormCopies(int64_t rows) const {  // in float32, where no kernel reads the narrow type
    return compute_.own_kernels ? 0 : 2 * rows * model_.hidden * kWide;
  }
  // A temporary of some bytes at this moment.
  void Touch(int64_t bytes) {
    walk_.Take(kTemp, bytes);
    walk_.Give(kTemp, bytes);
  }

  void ForwardBlocks();
  void BlockWithout(Rows rows);
  void BlockWith(Rows rows);
  void TakeSites();
  void FeatureDistances();
  void PooledFeatures(int64_t sequences);
  void HeadWithLoss();
  void HeadWithout();
  void BackwardBlock(int64_t layer);
  int64_t BackwardOutputNorm(Rows rows, int64_t copies);
  void BackwardMlp(Rows rows);
  void BackwardAttention(Rows rows);
  int64_t KeptByAdapterOfAttention(Rows rows) const;
  int64_t KeptByAdapterOfMlp(Rows rows) const;
  int64_t AdapterCopies(int64_t rows, int64_t width) const {  // its product, once
    return model_.adapter.on() ? rows * width * kWide : 0;
  }
  // Of weights.
  void TakeGradient(int64_t parameters) {
    if (!has_gradients_ && !model_.adapter.on()) walk_.Take(kGrads, parameters * kWide);
  }
  int64_t SitesBytes() const;

  const StepSizes& step_;
  const ModelSizes& model_;
  const ComputeSizes& compute_;
  const BatchSizes& batch_;
  const int64_t scored_;
  bool has_gradients_ = false;
  MemoryWalk walk_;
};

int64_t StepWalk::KeptByAttention(Rows rows) const {
  const int64_t queries = Bytes(rows.read, model_.queries()), keys = Bytes(rows.all, model_.keys());
  const int64_t normalizers = rows.read * model_.heads * kWide;
  int64_t kept = 2 * queries + 2 * keys;  // rotated q and k, v and the result
  if (model_.qk_norm) kept += queries + keys;
  if (compute_.whole_attention) return kept + normalizers;
  // Sequence by sequence: its own result, and keys and values of the prompt once more.
  return kept + queries + 2 * Bytes(batch_.seen_rows, model_.keys());
}

// The low-rank values of adapted projections and, where these read a narrow type, their input once
// more in float32. Sums of adapters are of these projections' own sizes.
int64_t StepWalk::KeptByAdapterOfAttention(Rows rows) const {
  const AdapterSizes& adapter = model_.adapter;
  const int64_t copied = compute_.element_bytes < kWide ? 1 : 0;
  const int64_t read = adapter.rank + copied * model_.hidden;
  return kWide * (rows.read * adapter.q * read + rows.all * (adapter.k + adapter.v) * read +
                  rows.read * adapter.o * (adapter.rank + copied * model_.queries()));
}

int64_t StepWalk::KeptByAdapterOfMlp(Rows rows) const {
  const AdapterSizes& adapter = model_.adapter;
  const int64_t copied = compute_.element_bytes < kWide ? 1 : 0;
  return kWide * rows.read *
         ((adapter.gate + adapter.up) * (adapter.rank + copied * model_.hidden) +
          adapter.down * (adapter.rank + copied * model_.feed_forward));
}

// What a block keeps for backward beside its input: norms keep what they read, products too.
int64_t StepWalk::Kept(Rows rows) const {
  // Norms of outputs keep those and a scale each.
  const int64_t outputs = model_.norms_outputs ? 2 : 0;
  const int64_t scales = (rows.all + (1 + outputs) * rows.read) * kWide;
  const int64_t queried = rows.read == rows.all ? 0 : Hidden(rows.read);
  const int64_t mlp = Bytes(rows.read, 3 * model_.feed_forward);
  // The normed input; attention's and the MLP's projection, the sum between them and its norm.
  return Hidden(rows.all) + queried + (2 + outputs) * Hidden(rows.read) + KeptByAttention(rows) +
         mlp + scales;
}

// Nothing of it is kept; `x` and the result are counted by the caller.
void StepWalk::BlockWithout(Rows rows) {
  const int64_t queries = Bytes(rows.read, model_.queries()), keys = Bytes(rows.all, model_.keys());
  const int64_t copies = 2 + (model_.qk_norm ? 1 : 0);  // as projected, rotated, and normed
  Touch(Hidden(rows.all) + copies * (queries + keys) + keys + queries + NormCopies(rows.all));
  const int64_t attended = queries + 4 * Hidden(rows.read);  // z, projection, sum, norm, result
  const int64_t wide = compute_.own_kernels ? 0 : 3 * rows.read * model_.feed_forward * kWide;
  Touch(attended + Bytes(rows.read, 3 * model_.feed_forward) +
        std::max(wide, AdapterCopies(rows.read, model_.feed_forward)));
}

void StepWalk::BlockWith(Rows rows) {
  const int64_t projected = Bytes(rows.read, model_.queries()) + Bytes(rows.all, model_.keys());
  walk_.Take(kActs, Hidden(rows.all) + KeptByAttention(rows) + KeptByAdapterOfAttention(rows));
  Touch(projected + NormCopies(rows.all));
  const int64_t rest = Kept(rows) - Hidden(rows.all) - KeptByAttention(rows);
  walk_.Take(kActs, rest + KeptByAdapterOfMlp(rows));
  const int64_t wide = compute_.own_kernels ? 0 : 3 * rows.read * model_.feed_forward * kWide;
  Touch(std::max({2 * Hidden(rows.read), wide, AdapterCopies(rows.read, model_.feed_forward)}));
}

void StepWalk::ForwardBlocks() {
  walk_.Take(kActs, Hidden(batch_.rows));  // embedded
  for (int64_t layer = 0; layer < model_.layers; ++layer) {
    const Rows rows = RowsOf(layer);
    layer < compute_.checkpointed_layers ? BlockWithout(rows) : BlockWith(rows);
    walk_.Take(kActs, Hidden(rows.read));  // the result: what the next block reads
  }
  walk_.Take(kTemp, Hidden(batch_.kept_rows));  // after the final norm
  Touch(NormCopies(batch_.kept_rows));
  walk_.Take(kActs, Hidden(scored_));
  walk_.Give(kTemp, Hidden(batch_.kept_rows));
}

int64_t StepWalk::SitesBytes() const {
  int64_t bytes = 0;
  for (const SaeSizes& sae : step_.saes) bytes += Bytes(scored_, sae.width);
  return bytes;
}

// Of one SAE after the other: the sums of some responses and a block of codes.
void StepWalk::PooledFeatures(int64_t sequences) {
  constexpr int64_t kBlock = int64_t{1} << 20;
  for (const SaeSizes& sae : step_.saes) {
    Touch(sequences * sae.features * kWide +
          (sae.has_arrays ? std::min(kBlock, scored_ * sae.features) * kWide : 0));
  }
}

void StepWalk::FeatureDistances() {
  constexpr int64_t kRows = 1024, kDouble = 8;
  PooledFeatures(batch_.sequences / 2);
  for (const SaeSizes& sae : step_.saes) {
    const int64_t columns = batch_.sequences / 2 * 2 * step_.top_k;  // union: of both models
    if (sae.has_arrays) {
      Touch(columns * sae.width * kWide + 3 * std::min(kRows, scored_) * columns * kWide);
    }
    Touch(2 * batch_.sequences * sae.features * kDouble);  // the reference's squares
  }
}

// Gradients of head and hidden states are made while a chunk's logits are in memory.
void StepWalk::HeadWithLoss() {
  constexpr int64_t kPieceMax = int64_t{8} << 20;  // of a product that is added to a gradient
  const int64_t gradient = model_.adapter.on() ? 0 : model_.EmbeddingParameters() * kWide;
  const int64_t rows = LargestChunk(batch_.unit_rows, ChunkRows(step_));
  const int64_t heads = compute_.reference_head ? 2 : 1;
  const int64_t widened = compute_.element_bytes == kWide || compute_.on_device
                              ? 0
                              : std::min<int64_t>(model_.vocab, 16384) * model_.hidden * kWide;
  walk_.Take(kHead, scored_ * model_.hidden * kWide);
  walk_.Take(kHead, heads * rows * model_.vocab * kWide);
  walk_.Take(kGrads, gradient);
  Touch(std::min(kPieceMax, gradient) + 2 * rows * model_.hidden * kWide + widened);
  walk_.Give(kHead, heads * rows * model_.vocab * kWide);
}

void StepWalk::HeadWithout() {
  const int64_t rows = std::min(scored_, ChunkRows(step_));
  const int64_t heads = compute_.reference_head ? 2 : 1;
  walk_.Take(kHead, heads * rows * model_.vocab * kWide);
  walk_.Give(kHead, heads * rows * model_.vocab * kWide);
}

// What the norm behind attention or MLP, if there is one, makes and leaves: its input's gradient.
int64_t StepWalk::BackwardOutputNorm(Rows rows, int64_t copies) {
  if (!model_.norms_outputs) return 0;
  const int64_t hidden = Hidden(rows.read);
  walk_.Take(kTemp, hidden + copies);
  walk_.Give(kTemp, copies);
  walk_.Give(kActs, hidden + rows.read * kWide);
  return hidden;
}

// `grad` [read, hidden] is there, and stays.
void StepWalk::BackwardMlp(Rows rows) {
  const int64_t hidden = Hidden(rows.read), wide = Bytes(rows.read, model_.feed_forward);
  const int64_t product = model_.hidden * model_.feed_forward;
  const bool narrow = compute_.element_bytes < kWide;
  const int64_t widened =
      narrow && !compute_.on_device ? rows.read * model_.feed_forward * kWide : 0;
  const int64_t normed = BackwardOutputNorm(rows, NormCopies(rows.read));
  walk_.Take(kTemp, wide);  // down
  TakeGradient(product);
  Touch(std::max(widened, AdapterCopies(rows.read, model_.feed_forward)));
  walk_.Give(kTemp, normed);
  walk_.Give(kActs, wide);
  walk_.Take(kTemp, 2 * wide);  // GeGLU
  if (!compute_.own_kernels) Touch(6 * rows.read * model_.feed_forward * kWide);
  walk_.Give(kTemp, wide);
  walk_.Give(kActs, 2 * wide);
  walk_.Take(kTemp, 2 * hidden);  // gate and up
  TakeGradient(2 * product);
  Touch(AdapterCopies(rows.read, model_.feed_forward));
  walk_.Give(kTemp, 2 * wide);
  walk_.Give(kActs, hidden);
  walk_.Take(kTemp, hidden);  // their sum's norm
  walk_.Give(kActs, hidden + rows.read * kWide + KeptByAdapterOfMlp(rows));
  walk_.Give(kTemp, 3 * hidden);
}

void StepWalk::BackwardAttention(Rows rows) {
  const int64_t hidden = Hidden(rows.read), queries = Bytes(rows.read, model_.queries());
  const int64_t keys = Bytes(rows.all, model_.keys());
  const int64_t scratch =
      compute_.on_device ? 0 : compute_.threads * 6 * batch_.longest * model_.head_dim * kWide;
  const int64_t normed = BackwardOutputNorm(rows, 0);
  walk_.Take(kTemp, queries);  // output projection
  TakeGradient(model_.queries() * model_.hidden);
  walk_.Give(kTemp, normed);
  walk_.Take(kTemp, queries + 2 * keys);
  Touch(scratch);
  walk_.Give(kTemp, queries);
  walk_.Give(kActs, KeptByAttention(rows));
  Touch(queries + keys);                    // rotation
  walk_.Take(kTemp, 3 * Hidden(rows.all));  // of q, k and v
  TakeGradient((model_.queries() + 2 * model_.keys()) * model_.hidden);
  walk_.Give(kTemp, queries + 2 * keys);
  const int64_t queried = rows.read == rows.all ? 0 : hidden;
  walk_.Give(kActs, Hidden(rows.all) + queried + rows.all * kWide + KeptByAdapterOfAttention(rows));
  walk_.Give(kTemp, 3 * Hidden(rows.all));
}

void StepWalk::BackwardBlock(int64_t layer) {
  const Rows rows = RowsOf(layer);
  const bool recomputed = layer < compute_.checkpointed_layers;
  if (recomputed) {
    BlockWith(rows);
    walk_.Take(kActs, Hidden(rows.read));
  }
  BackwardMlp(rows);
  BackwardAttention(rows);
  if (recomputed) walk_.Give(kActs, Hidden(rows.read));
  if (!has_gradients_) walk_.Take(kGrads, model_.AdapterParameters() * kWide);
  TakeGradient(model_.BlockParameters() -
               model_.hidden *
                   (2 * model_.queries() + 2 * model_.keys() + 3 * model_.feed_forward));
  walk_.Take(kTemp, 2 * Hidden(rows.all) - Hidden(rows.read));  // of the block's input
  walk_.Give(kTemp, Hidden(rows.all));
  walk_.Give(kActs, Hidden(rows.all));  // the input
}

void StepWalk::Train(bool has_gradients) {
  has_gradients_ = has_gradients;
  if (has_gradients) walk_.Take(kGrads, model_.TrainedParameters() * kWide);
  for (const SaeSizes& sae : step_.saes) {
    walk_.Take(kSae, batch_.sequences * sae.features * kWide);  // the reference's
  }
  ForwardBlocks();
  walk_.Take(kActs, SitesBytes());
  if (!step_.saes.empty()) FeatureDistances();
  HeadWithLoss();
  // Backward: of the head what forward has made.
  if (has_gradients && !model_.adapter.on()) {
    walk_.Give(kGrads, model_.EmbeddingParameters() * kWide);
  }
  walk_.Take(kTemp, Hidden(batch_.kept_rows));
  walk_.Give(kHead, scored_ * model_.hidden * kWide);
  walk_.Give(kActs, Hidden(scored_));
  walk_.Take(kTemp, Hidden(batch_.kept_rows));  // final norm
  walk_.Give(kTemp, Hidden(batch_.kept_rows));
  walk_.Give(kActs, Hidden(batch_.kept_rows));
  for (const SaeSizes& sae : step_.saes) walk_.Take(kTemp, Bytes(batch_.rows, sae.width));
  walk_.Give(kActs, SitesBytes());
  for (int64_t layer = model_.layers - 1; layer >= 0; --layer) {
    BackwardBlock(layer);
    for (const SaeSizes& sae : step_.saes) {
      if (sae.layer == layer) walk_.Give(kTemp, Bytes(batch_.rows, sae.width));
    }
  }
  Touch(batch_.rows * model_.hidden * kWide);
  if (!model_.tied_head) TakeGradient(model_.EmbeddingParameters());
}

void StepWalk::Score() {
  walk_.Take(kTemp, Hidden(batch_.rows));
  for (int64_t layer = 0; layer < model_.layers; ++layer) BlockWithout(RowsOf(layer));
  walk_.Give(kTemp, Hidden(batch_.rows));
  walk_.Take(kActs, Hidden(scored_) + SitesBytes());
  Touch(2 * Hidden(batch_.kept_rows));
  for (const SaeSizes& sae : step_.saes) {
    walk_.Take(kSae, batch_.sequences * sae.features * kWide);
  }
  HeadWithout();
  PooledFeatures(batch_.sequences);
}

}  // namespace

int64_t MemoryUses::Sum() const { return std::accumulate(bytes.begin(), bytes.end(), int64_t{0}); }

void MemoryWalk::Take(MemoryUse use, int64_t bytes) {
  now_[use] += bytes;
  if (now_.Sum() > peak_.Sum()) peak_ = now_;
}

void MemoryWalk::Give(MemoryUse use, int64_t bytes) { now_[use] -= bytes; }

int64_t ChunkRows(const StepSizes& step) {
  constexpr int64_t kLogitBytes = int64_t{256} << 20;
  const int64_t heads = step.compute.reference_head ? 2 : 1;
  const int64_t times = step.compute.on_device && step.compute.own_kernels ? 16 : 1;
  return std::max<int64_t>(1, times * kLogitBytes / (heads * step.model.vocab * kWide));
}

int64_t LargestChunk(const std::vector<int64_t>& unit_rows, int64_t chunk_rows) {
  constexpr int64_t kLargestUnit = 4;
  int64_t largest = 0, chunk = 0, all = 0;
  bool whole = true;  // else the head is cut without regard to the loss
  for (const int64_t rows : unit_rows) {
    whole = whole && rows <= kLargestUnit * chunk_rows;
    all += rows;
    chunk = chunk > 0 && chunk + rows <= chunk_rows ? chunk + rows : rows;
    largest = std::max(largest, chunk);
  }
  return whole ? largest : std::min(all, chunk_rows);
}

MemoryUses TrainingPeak(const StepSizes& step, const BatchSizes& batch, bool has_gradients) {
  StepWalk walk(step, batch);
  walk.Train(has_gradients);
  return walk.peak();
}

MemoryUses ScoringPeak(const StepSizes& step, const BatchSizes& batch) {
  StepWalk walk(step, batch);
  walk.Score();
  return walk.peak();
}

}  // namespace fpo
