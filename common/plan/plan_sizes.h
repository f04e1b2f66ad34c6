#pragma once

#include <cstdint>
#include <vector>

namespace fpo {

// Low-rank matrices beside frozen projections, in float32. Rank 0: the weights are trained.
struct AdapterSizes {
  int64_t rank = 0;
  bool q = false, k = false, v = false, o = false, gate = false, up = false, down = false;

  // How the frozen projections are kept: in the model's type, in 4 bits, or with magnitudes of 8
  // bits too.
  enum class Packing { kNone, kNf4, kNf4Double } packing = Packing::kNone;

  bool on() const { return rank > 0; }
  bool packed() const { return packing != Packing::kNone; }
};

// What of a model's config.json decides how much memory it takes.
struct ModelSizes {
  int64_t layers = 0;
  int64_t hidden = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t feed_forward = 0;
  int64_t vocab = 0;
  bool tied_head = true;
  bool qk_norm = false;
  bool norms_outputs = true;  // of attention and MLP, as Gemma: four norms a block, else two
  AdapterSizes adapter;

  int64_t queries() const { return heads * head_dim; }
  int64_t keys() const { return kv_heads * head_dim; }
  int64_t EmbeddingParameters() const { return vocab * hidden; }
  int64_t ProjectionParameters() const {  // of a block
    return hidden * (2 * queries() + 2 * keys() + 3 * feed_forward);
  }
  int64_t BlockParameters() const {
    return ProjectionParameters() + (norms_outputs ? 4 : 2) * hidden + (qk_norm ? 2 * head_dim : 0);
  }
  // Of the projections of all blocks, where they are packed: 4 bits each, and a magnitude for 64.
  int64_t PackedBytes() const {
    if (!adapter.packed()) return 0;
    const int64_t weights = layers * ProjectionParameters(), blocks = weights / 64;
    const bool twice = adapter.packing == AdapterSizes::Packing::kNf4Double;
    return weights / 2 + (twice ? blocks + blocks / 64 : 4 * blocks);
  }
  int64_t Parameters() const {
    return EmbeddingParameters() * (tied_head ? 1 : 2) + layers * BlockParameters() + hidden;
  }
  // Of a block, weights beside which there is an adapter, and that adapter.
  int64_t AdaptedParameters() const {
    return hidden * ((adapter.q + adapter.o) * queries() + (adapter.k + adapter.v) * keys() +
                     (adapter.gate + adapter.up + adapter.down) * feed_forward);
  }
  int64_t AdapterParameters() const {
    return adapter.rank * ((adapter.q + adapter.o) * (hidden + queries()) +
                           (adapter.k + adapter.v) * (hidden + keys()) +
                           (adapter.gate + adapter.up + adapter.down) * (hidden + feed_forward));
  }
  int64_t TrainedParameters() const {
    return adapter.on() ? layers * AdapterParameters() : Parameters();
  }
};

struct SaeSizes {
  int64_t width = 0;     // of the place it reads
  int64_t features = 0;  // the same for method.features: hidden, which has no arrays
  int64_t layer = 0;
  bool has_arrays = true;
};

// One micro-batch, packed (each prompt once, no padding) or padded.
struct BatchSizes {
  int64_t rows = 0;       // that the blocks compute
  int64_t kept_rows = 0;  // that the last block computes: of packed prompts one each
  int64_t sequences = 0;
  int64_t longest = 0;             // positions
  int64_t seen_rows = 0;           // keys that prompts and responses see, each counted by itself
  std::vector<int64_t> unit_rows;  // scored tokens of each pair: of both responses, of sft of one

  int64_t scored_rows() const {
    int64_t rows_of_all = 0;
    for (const int64_t unit : unit_rows) rows_of_all += unit;
    return rows_of_all;
  }
};

// How a trainer computes: what of job, device and kernels decides which tensors exist.
struct ComputeSizes {
  int64_t element_bytes = 4;  // of weights and activations
  int64_t threads = 1;
  bool on_device = false;           // CUDA
  bool own_kernels = true;          // float32 on the CPU, and CUDA: norms and gates make no copies
  bool whole_attention = true;      // one function for a batch, not one for each sequence
  int64_t checkpointed_layers = 0;  // the first ones, whose blocks backward computes again
  bool reference_head = false;      // the KL of a reference in memory: two heads
};

}  // namespace fpo
