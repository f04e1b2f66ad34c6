#pragma once

#include <cstdint>

#include "train/kernels/attention_scores.h"
#include "train/kernels/kernel_set.h"
#include "train/kernels/small_product.h"
#include "train/kernels/vector_math.h"

// Attention of one group of rows and one kv head, block by block: no [rows, rows] matrix.
namespace fpo::train::FPO_KERNELS {

// z of one block of queries: a running softmax over the blocks of keys.
inline void AttendBlock(const AttentionScratch& s, const QueryBlock& block, float* normalizer) {
  float max[kQueries], sum[kQueries];
  for (int64_t i = 0; i < block.rows; ++i) {
    max[i] = -__builtin_inff();
    sum[i] = 0;
  }
  Fill(s.out, block.rows * s.width, 0);
  ForEachKeyBlock(s, block, [&](const KeyBlock& keys) {
    ComputeScores(s, block, keys, nullptr);
    for (int64_t i = 0; i < block.rows; ++i) {
      float* const scores = s.scores + i * kKeys;
      const float highest = MaxOfRow(scores);
      const float now = highest > max[i] ? highest : max[i];
      if (now == -__builtin_inff()) {  // nothing seen yet
        Fill(scores, kKeys, 0);
        continue;
      }
      const float shrink = Exp(Splat(max[i] - now))[0];
      sum[i] = sum[i] * shrink + ExpOfRow(scores, now);
      if (shrink != 1) ScaleRow(s.out + i * s.width, s.width, shrink);
      max[i] = now;
    }
    AddProduct({s.scores, kKeys, 1, s.values + keys.row * s.width, s.width, s.out, s.width,
                block.rows, kKeys, s.width});
  });
  for (int64_t i = 0; i < block.rows; ++i) {
    ScaleRow(s.out + i * s.width, s.width, 1 / sum[i]);
    normalizer[i] = max[i] + static_cast<float>(Log(static_cast<double>(sum[i])));
  }
}

inline void AttentionForward(const AttentionTask& task, const AttentionTensors& t) {
  AttentionScratch s(task);
  s.PackKeys(task, t, /*with_gradients=*/false);
  const int64_t group_heads = task.shape.heads / task.shape.kv_heads;
  for (int64_t head = task.kv_head * group_heads; head < (task.kv_head + 1) * group_heads; ++head) {
    ForEachQueryBlock(task, [&](const QueryBlock& block) {
      CopyRows(t.q, {block.first, block.rows, head, task.shape.heads, task.shape.head_dim},
               s.queries, s.width);
      float normalizer[kQueries];
      AttendBlock(s, block, normalizer);
      const RowsOfHead rows = {block.first, block.rows, head, task.shape.heads,
                               task.shape.head_dim};
      CopyBack(s.out, s.width, rows, t.z);
      for (int64_t i = 0; i < block.rows; ++i) {
        t.normalizer[(block.first + i) * task.shape.heads + head] = normalizer[i];
      }
    });
  }
}

// The gradients of one block of queries; those of keys and values add up in the scratch.
inline void BackwardBlock(const AttentionScratch& s, const QueryBlock& block,
                          const float* normalizer, const float* inner) {
  Fill(s.out, block.rows * s.width, 0);
  ForEachKeyBlock(s, block, [&](const KeyBlock& keys) {
    ComputeScores(s, block, keys, s.slopes);
    Fill(s.grad_scores, block.rows * kKeys, 0);
    AddProduct({s.grad_out, s.width, 1, s.TransposedValues(keys), kKeys, s.grad_scores, kKeys,
                block.rows, s.width, kKeys});
    for (int64_t i = 0; i < block.rows; ++i) {
      ScoreGradientRow(s, i, normalizer[i], inner[i]);
    }
    float* const grad_keys = s.grad_keys + keys.row * s.width;
    float* const grad_values = s.grad_values + keys.row * s.width;
    AddProduct({s.scores, 1, kKeys, s.grad_out, s.width, grad_values, s.width, kKeys, block.rows,
                s.width});
    AddProduct({s.grad_scores, 1, kKeys, s.queries, s.width, grad_keys, s.width, kKeys, block.rows,
                s.width});
    AddProduct({s.grad_scores, kKeys, 1, s.keys + keys.row * s.width, s.width, s.out, s.width,
                block.rows, kKeys, s.width});
  });
}

inline void AttentionBackward(const AttentionTask& task, const AttentionTensors& t) {
  AttentionScratch s(task);
  s.PackKeys(task, t, /*with_gradients=*/true);
  const AttentionShape& shape = task.shape;
  const int64_t group_heads = shape.heads / shape.kv_heads;
  for (int64_t head = task.kv_head * group_heads; head < (task.kv_head + 1) * group_heads; ++head) {
    ForEachQueryBlock(task, [&](const QueryBlock& block) {
      const RowsOfHead rows = {block.first, block.rows, head, shape.heads, shape.head_dim};
      CopyRows(t.q, rows, s.queries, s.width);
      CopyRows(t.grad_z, rows, s.grad_out, s.width);
      CopyRows(t.z, rows, s.out, s.width);
      float normalizer[kQueries], inner[kQueries];
      for (int64_t i = 0; i < block.rows; ++i) {
        normalizer[i] = t.normalizer[(block.first + i) * shape.heads + head];
        // sum_j p_ij (dz_i . v_j) = dz_i . z_i
        inner[i] = Dot(s.grad_out + i * s.width, s.out + i * s.width, s.width);
      }
      BackwardBlock(s, block, normalizer, inner);
      CopyBack(s.out, s.width, rows, t.grad_q);
    });
  }
  s.StoreKeyGradients(task, t);
}

}  // namespace fpo::train::FPO_KERNELS
