#pragma once

#include <cstdint>

#include "train/kernels/attention_scratch.h"
#include "train/kernels/kernel_set.h"
#include "train/kernels/small_product.h"
#include "train/kernels/vector_math.h"

// Scores of a block of queries with a block of keys.
namespace fpo::train::FPO_KERNELS {

// Rows of one part of a group: its prompt, or one response. Positions count from the group's start
// and again from the prompt's end for each response.
struct QueryBlock {
  int64_t first, rows;   // in the packed tensors
  int64_t position;      // of the first
  KeyRange prompt, own;  // the keys it may see; `prompt` empty for the prompt itself
};

struct KeyBlock {
  int64_t row;       // in the scratch's padded rows
  int64_t position;  // of the first key
  int64_t count;     // keys; the rest of kKeys is padding
};

template <typename Fn>
inline void ForEachQueryBlock(const AttentionTask& task, const Fn& fn) {
  KeyRange prompt = {0, 0, task.group.prompt};
  const auto part = [&](int64_t first, const KeyRange& before, const KeyRange& own,
                        int64_t skipped) {
    for (int64_t done = skipped; done < own.count; done += kQueries) {
      const int64_t rows = own.count - done < kQueries ? own.count - done : kQueries;
      fn(QueryBlock{first + done - skipped, rows, own.position + done, before, own});
    }
  };
  const int64_t queries = task.group.prompt_queries;
  part(task.group.first_query, {0, 0, 0}, prompt, task.group.prompt - queries);
  int64_t first = task.group.first_query + queries, row = Padded(task.group.prompt);
  for (int64_t i = 0; i < task.group.response_count; ++i) {
    const int64_t count = task.group.responses[i];
    part(first, prompt, {row, task.group.prompt, count}, 0);
    first += count;
    row += Padded(count);
  }
}

// The blocks in which some query of `block` sees some key.
template <typename Fn>
inline void ForEachKeyBlock(const AttentionScratch& s, const QueryBlock& block, const Fn& fn) {
  const int64_t last = block.position + block.rows - 1;
  const KeyRange ranges[] = {block.prompt, block.own};
  for (const KeyRange& range : ranges) {
    for (int64_t done = 0; done < range.count; done += kKeys) {
      const int64_t left = range.count - done < kKeys ? range.count - done : kKeys;
      const int64_t position = range.position + done;
      if (position > last) break;
      if (s.window > 0 && position + left - 1 <= block.position - s.window) continue;
      fn(KeyBlock{range.row + done, position, left});
    }
  }
}

// Hides from query i the keys after it, those before its window, and padding.
inline void HideKeys(const AttentionScratch& s, const QueryBlock& block, const KeyBlock& keys) {
  const bool all_before = keys.position + kKeys - 1 <= block.position && keys.count == kKeys;
  const bool all_within =
      s.window == 0 || block.position + block.rows - 1 - keys.position < s.window;
  if (all_before && all_within) return;
  for (int64_t i = 0; i < block.rows; ++i) {
    float* const row = s.scores + i * kKeys;
    const int64_t query = block.position + i;
    int64_t end = query - keys.position + 1;
    end = end > keys.count ? keys.count : end;
    const int64_t begin = s.window > 0 ? query - s.window + 1 - keys.position : 0;
    for (int64_t j = 0; j < kKeys; ++j) {
      if (j >= end || j < begin) row[j] = -__builtin_inff();
    }
  }
}

// Scaled, capped and masked scores into s.scores; into `slopes` (may be null) the derivative of a
// score to its product.
inline void ComputeScores(const AttentionScratch& s, const QueryBlock& block, const KeyBlock& keys,
                          float* slopes) {
  Fill(s.scores, block.rows * kKeys, 0);
  AddProduct({s.queries, s.width, 1, s.TransposedKeys(keys.row), kKeys, s.scores, kKeys, block.rows,
              s.width, kKeys});
  const float inner = s.cap > 0 ? s.scale / s.cap : s.scale;
  for (int64_t i = 0; i < block.rows * kKeys; i += kLanes) {
    const Vec score = Load(s.scores + i) * inner;
    const Vec t = s.cap > 0 ? Tanh(score) : score;
    Store(s.scores + i, s.cap > 0 ? t * s.cap : t);
    if (slopes != nullptr) Store(slopes + i, s.cap > 0 ? (1.0F - t * t) * s.scale : Splat(s.scale));
  }
  HideKeys(s, block, keys);
}

// Row i of the scores becomes probabilities, of s.grad_scores the gradient to the products.
inline void ScoreGradientRow(const AttentionScratch& s, int64_t i, float normalizer, float inner) {
  for (int64_t j = i * kKeys; j < (i + 1) * kKeys; j += kLanes) {
    const Vec p = Exp(Load(s.scores + j) - normalizer);
    Store(s.scores + j, p);
    Store(s.grad_scores + j, (Load(s.grad_scores + j) - inner) * p * Load(s.slopes + j));
  }
}

inline float MaxOfRow(const float* row) {
  Vec max = Load(row);
  for (int64_t j = kLanes; j < kKeys; j += kLanes) max = Max(Load(row + j), max);
  return MaxOf(max);
}

// e^(row - max) in place; returns the sum.
inline float ExpOfRow(float* row, float max) {
  Vec sum = {};
  for (int64_t j = 0; j < kKeys; j += kLanes) {
    const Vec e = Exp(Load(row + j) - max);
    Store(row + j, e);
    sum += e;
  }
  return SumOf(sum);
}

}  // namespace fpo::train::FPO_KERNELS
