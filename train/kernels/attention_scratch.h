#pragma once

#include <cstdint>

#include "train/kernels/kernel_set.h"
#include "train/kernels/vector_math.h"

// The memory of one attention task: keys and values of a kv head, padded to whole blocks.
namespace fpo::train::FPO_KERNELS {

constexpr int64_t kQueries = 60;  // rows of a block of queries: a multiple of a product's tile
constexpr int64_t kKeys = 64;     // of a block of keys

// Keys of a prompt or a response: `count` rows from `row` of the scratch, at `position` onwards.
struct KeyRange {
  int64_t row, position, count;
};

// Rows [first, first + rows) of one head in a packed tensor [.., heads, head_dim].
struct RowsOfHead {
  int64_t first, rows, head, heads, head_dim;
};

inline int64_t Padded(int64_t rows) { return (rows + kKeys - 1) / kKeys * kKeys; }
inline int64_t PaddedWidth(int64_t head_dim) { return (head_dim + kLanes - 1) / kLanes * kLanes; }

inline void Fill(float* p, int64_t count, float value) {
  for (int64_t i = 0; i < count; ++i) p[i] = value;
}
inline void ScaleRow(float* row, int64_t count, float factor) {
  for (int64_t i = 0; i < count; i += kLanes) Store(row + i, Load(row + i) * factor);
}
inline float Dot(const float* a, const float* b, int64_t count) {
  Vec sum = {};
  for (int64_t i = 0; i < count; i += kLanes) sum += Load(a + i) * Load(b + i);
  return SumOf(sum);
}
inline void CopyRows(const float* from, const RowsOfHead& rows, float* to, int64_t width) {
  const int64_t stride = rows.heads * rows.head_dim;
  from += rows.first * stride + rows.head * rows.head_dim;
  for (int64_t i = 0; i < rows.rows; ++i) {
    for (int64_t d = 0; d < rows.head_dim; ++d) to[i * width + d] = from[i * stride + d];
    for (int64_t d = rows.head_dim; d < width; ++d) to[i * width + d] = 0;
  }
}
inline void CopyBack(const float* from, int64_t width, const RowsOfHead& rows, float* to) {
  const int64_t stride = rows.heads * rows.head_dim;
  to += rows.first * stride + rows.head * rows.head_dim;
  for (int64_t i = 0; i < rows.rows; ++i) {
    for (int64_t d = 0; d < rows.head_dim; ++d) to[i * stride + d] = from[i * width + d];
  }
}

inline int64_t PaddedRows(const AttentionGroup& group) {
  int64_t rows = Padded(group.prompt);
  for (int64_t i = 0; i < group.response_count; ++i) rows += Padded(group.responses[i]);
  return rows;
}

struct AttentionScratch {
  float scale, cap;
  int64_t window, width, rows;
  float *keys, *values, *keys_t, *values_t, *grad_keys, *grad_values;  // [rows, width]
  float *queries, *out, *grad_out;                                     // [kQueries, width]
  float *scores, *grad_scores, *slopes;                                // [kQueries, kKeys]

  static int64_t Floats(const AttentionShape& shape, const AttentionGroup& group) {
    const int64_t width = PaddedWidth(shape.head_dim);
    return 6 * PaddedRows(group) * width + 3 * kQueries * width + 3 * kQueries * kKeys;
  }

  explicit AttentionScratch(const AttentionTask& task)
      : scale(task.shape.scale),
        cap(task.shape.cap),
        window(task.shape.window),
        width(PaddedWidth(task.shape.head_dim)),
        rows(PaddedRows(task.group)) {
    float* next = task.scratch;
    const auto take = [&](int64_t count) {
      float* const own = next;
      next += count;
      return own;
    };
    float** const of_keys[] = {&keys, &values, &keys_t, &values_t, &grad_keys, &grad_values};
    float** const of_queries[] = {&queries, &out, &grad_out};
    float** const of_scores[] = {&scores, &grad_scores, &slopes};
    for (float** one : of_keys) *one = take(rows * width);
    for (float** one : of_queries) *one = take(kQueries * width);
    for (float** one : of_scores) *one = take(kQueries * kKeys);
  }

  // A block of kKeys rows as [width, kKeys].
  const float* TransposedKeys(int64_t row) const { return keys_t + row * width; }
  template <typename Keys>
  const float* TransposedValues(const Keys& block) const {
    return values_t + block.row * width;
  }

  template <typename Fn>  // fn(first packed row, first scratch row, count), for each part
  static void ForEachPart(const AttentionGroup& group, const Fn& fn) {
    fn(group.first, int64_t{0}, group.prompt);
    int64_t first = group.first + group.prompt, row = Padded(group.prompt);
    for (int64_t i = 0; i < group.response_count; ++i) {
      fn(first, row, group.responses[i]);
      first += group.responses[i];
      row += Padded(group.responses[i]);
    }
  }

  void PackKeys(const AttentionTask& task, const AttentionTensors& t, bool with_gradients) const {
    Fill(keys, rows * width, 0);
    Fill(values, rows * width, 0);
    ForEachPart(task.group, [&](int64_t first, int64_t row, int64_t count) {
      const RowsOfHead own = {first, count, task.kv_head, task.shape.kv_heads, task.shape.head_dim};
      CopyRows(t.k, own, keys + row * width, width);
      CopyRows(t.v, own, values + row * width, width);
    });
    Transpose(keys, keys_t);
    if (!with_gradients) return;
    Transpose(values, values_t);
    Fill(grad_keys, rows * width, 0);
    Fill(grad_values, rows * width, 0);
  }

  void Transpose(const float* from, float* to) const {
    for (int64_t row = 0; row < rows; ++row) {
      float* const block = to + row / kKeys * kKeys * width + row % kKeys;
      for (int64_t d = 0; d < width; ++d) block[d * kKeys] = from[row * width + d];
    }
  }

  void StoreKeyGradients(const AttentionTask& task, const AttentionTensors& t) const {
    ForEachPart(task.group, [&](int64_t first, int64_t row, int64_t count) {
      const RowsOfHead own = {first, count, task.kv_head, task.shape.kv_heads, task.shape.head_dim};
      CopyBack(grad_keys + row * width, width, own, t.grad_k);
      CopyBack(grad_values + row * width, width, own, t.grad_v);
    });
  }
};

}  // namespace fpo::train::FPO_KERNELS
