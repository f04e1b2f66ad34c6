#pragma once

#include <cstdint>
#include <cstring>

#include "train/decode/cpu_kernels.h"
#include "train/decode/lane_math.h"

namespace fpo::train::vector {

// Scores of kGroup queries, which read each key once.
template <class S, int kGroup>
FPO_INLINE void Scores(const AttendTask& task, int64_t query) {
  using F = typename S::F;
  const int64_t count = task.last - task.first + 1, dim = task.dim;
  const float* q = task.q + query * dim;
  int64_t slot = task.first % task.slots;
  for (int64_t j = 0; j < count; ++j, slot = slot + 1 == task.slots ? 0 : slot + 1) {
    const float* key = task.keys + slot * dim;
    F sums[kGroup] = {};
    int64_t i = 0;
    for (; i + S::kLanes <= dim; i += S::kLanes) {
      F k;
      Load<S>(key + i, &k);
#pragma GCC unroll 4
      for (int g = 0; g < kGroup; ++g) {
        F value;
        Load<S>(q + g * dim + i, &value);
        sums[g] += value * k;
      }
    }
#pragma GCC unroll 4
    for (int g = 0; g < kGroup; ++g) {
      float sum = Sum<S>(sums[g]);
      for (int64_t rest = i; rest < dim; ++rest) sum += q[g * dim + rest] * key[rest];
      task.scores[(query + g) * count + j] = sum * task.scale;
    }
  }
}

template <class S>
FPO_INLINE void Softmax(float* scores, int64_t count) {
  using F = typename S::F;
  float most = scores[0];
  for (int64_t j = 1; j < count; ++j) most = scores[j] > most ? scores[j] : most;
  ForEach<S>(
      scores, count, [most](F * value, int64_t, int) __attribute__((always_inline)) {
        *value -= most;
        Exp<S>(value);
      });
  F sums = {};
  int64_t j = 0;
  for (; j + S::kLanes <= count; j += S::kLanes) {
    F value;
    Load<S>(scores + j, &value);
    sums += value;
  }
  float sum = Sum<S>(sums);
  for (; j < count; ++j) sum += scores[j];
  const float scale = 1 / sum;
  for (j = 0; j < count; ++j) scores[j] *= scale;
}

template <class S, int kGroup, int kVectors>
FPO_INLINE void Weigh(const AttendTask& task, int64_t query, int64_t at) {
  using F = typename S::F;
  const int64_t count = task.last - task.first + 1, dim = task.dim;
  F sums[kGroup][kVectors] = {};
  int64_t slot = task.first % task.slots;
  for (int64_t j = 0; j < count; ++j, slot = slot + 1 == task.slots ? 0 : slot + 1) {
    const float* value = task.values + slot * dim + at;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      F part;
      Load<S>(value + v * S::kLanes, &part);
#pragma GCC unroll 4
      for (int g = 0; g < kGroup; ++g) sums[g][v] += part * task.scores[(query + g) * count + j];
    }
  }
#pragma GCC unroll 4
  for (int g = 0; g < kGroup; ++g) {
    std::memcpy(task.z + (query + g) * dim + at, sums[g], sizeof(sums[g]));
  }
}

template <class S, int kGroup>
FPO_INLINE void AttendGroup(const AttendTask& task, int64_t query) {
  const int64_t count = task.last - task.first + 1, dim = task.dim;
  Scores<S, kGroup>(task, query);
  for (int g = 0; g < kGroup; ++g) {
    float* scores = task.scores + (query + g) * count;
    if (task.softcap > 0) Softcap<S>(scores, count, task.softcap);
    Softmax<S>(scores, count);
  }
  int64_t at = 0;
  for (; at + 4 * S::kLanes <= dim; at += 4 * S::kLanes) Weigh<S, kGroup, 4>(task, query, at);
  for (; at + S::kLanes <= dim; at += S::kLanes) Weigh<S, kGroup, 1>(task, query, at);
  for (; at < dim; ++at) {
    for (int g = 0; g < kGroup; ++g) {
      float sum = 0;
      int64_t slot = task.first % task.slots;
      for (int64_t j = 0; j < count; ++j, slot = slot + 1 == task.slots ? 0 : slot + 1) {
        sum += task.values[slot * dim + at] * task.scores[(query + g) * count + j];
      }
      task.z[(query + g) * dim + at] = sum;
    }
  }
}

template <class S>
FPO_INLINE void Attend(const AttendTask& task) {
  int64_t query = 0;
  for (; query + 4 <= task.group; query += 4) AttendGroup<S, 4>(task, query);
  for (; query + 2 <= task.group; query += 2) AttendGroup<S, 2>(task, query);
  for (; query < task.group; ++query) AttendGroup<S, 1>(task, query);
}

}  // namespace fpo::train::vector
