#pragma once

#include <cstdint>

// Float32 kernels for generation on a CPU, on plain pointers, beside those that it shares with
// training (train/kernels/kernel_set.h: norm, rotation, GeGLU). Each output is a sum in one fixed
// order that depends on its own inputs only: not on the number of rows computed with it, on its
// place among them, or on the number of threads. The order differs between processors (AVX-512,
// AVX2, others). No bounds are checked. Thread-safe.
namespace fpo::train {

enum class WeightType { kFloat32, kBFloat16 };

// y[r, c] = sum over k of x[r, k] * weight[c, k]. bfloat16 weights are widened in registers, so
// that the result is that of the same weights in float32.
struct LinearTask {
  const float* x;  // [rows, depth]
  int64_t rows;
  int64_t depth;
  const void* weight;  // [columns, depth]
  WeightType type;
  float* y;  // [rows, columns]
  int64_t columns;
};
void LinearColumns(const LinearTask& task, int64_t begin, int64_t end);  // columns [begin, end)

// x = cap * tanh(x / cap).
void SoftcapInPlace(float* x, int64_t count, float cap);

// The attention of one token's heads that share a kv head, over the keys at positions [first,
// last]; position p is in slot p % slots.
struct AttendTask {
  const float* q;       // [group, dim]
  float* z;             // [group, dim]
  const float* keys;    // [slots, dim]
  const float* values;  // [slots, dim]
  float* scores;        // scratch: [group, last - first + 1]
  int64_t group;
  int64_t dim;
  int64_t slots;
  int64_t first;
  int64_t last;
  float scale;
  float softcap;  // 0: none
};
void Attend(const AttendTask& task);

// The place of the largest value, the first of equal ones; -1 when a value is NaN.
int64_t ArgMax(const float* x, int64_t count);

}  // namespace fpo::train
