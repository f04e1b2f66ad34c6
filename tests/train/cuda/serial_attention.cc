#include "tests/train/cuda/serial_attention.h"

#include <cmath>
#include <vector>

#include "train/cuda/kernels/numbers.h"

namespace fpo::train {
namespace {

using cuda::BFloat16;
using Doubles = std::vector<double>;

// A query head of a sequence and the kv head that it reads.
class Head {
 public:
  Head(const CudaAttention& call, int32_t sequence, int64_t head)
      : call_(call), shape_(call.shape), sequence_(sequence), head_(head) {
    queries_ = call.query_lengths[sequence];
    keys_ = call.key_lengths[sequence];
  }
  int64_t queries() const { return queries_; }
  int64_t keys() const { return keys_; }

  template <class T>
  T* Query(T* all, int64_t i) const {
    return all + call_.query_offsets[sequence_] + (i * shape_.heads + head_) * shape_.head_dim;
  }
  template <class T>
  T* Key(T* all, int64_t j) const {
    const int64_t kv = head_ / (shape_.heads / shape_.kv_heads);
    return all + call_.key_offsets[sequence_] + (j * shape_.kv_heads + kv) * shape_.head_dim;
  }
  float* Normalizer(int64_t i) const {
    return call_.normalizer + call_.normalizer_offsets[sequence_] + i * shape_.heads + head_;
  }
  double Dot(const BFloat16* a, const BFloat16* b) const {
    double sum = 0;
    for (int64_t d = 0; d < shape_.head_dim; ++d) {
      sum += static_cast<double>(cuda::ToFloat(a[d])) * static_cast<double>(cuda::ToFloat(b[d]));
    }
    return sum;
  }
  bool Sees(int64_t i, int64_t j) const {
    const int64_t distance = keys_ - queries_ + i - j;
    return distance >= 0 && (shape_.window == 0 || distance < shape_.window);
  }
  // The capped score.
  double Score(int64_t i, int64_t j) const {
    const double score =
        Dot(Query(Of(call_.q), i), Key(Of(call_.k), j)) * static_cast<double>(shape_.scale);
    const auto cap = static_cast<double>(shape_.cap);
    return cap > 0 ? cap * std::tanh(score / cap) : score;
  }
  double Slope(double score) const {
    const auto cap = static_cast<double>(shape_.cap);
    return cap > 0 ? 1 - score / cap * (score / cap) : 1;
  }
  static const BFloat16* Of(const void* p) { return static_cast<const BFloat16*>(p); }

 private:
  const CudaAttention& call_;
  const CudaAttentionShape& shape_;
  int32_t sequence_;
  int64_t head_, queries_, keys_;
};

void ForwardRow(const CudaAttention& call, const Head& head, int64_t i) {
  double sum = 0;
  Doubles z(static_cast<size_t>(call.shape.head_dim), 0);
  for (int64_t j = 0; j < head.keys(); ++j) {
    if (!head.Sees(i, j)) continue;
    const double e = std::exp(head.Score(i, j));
    sum += e;
    const BFloat16* const v = head.Key(Head::Of(call.v), j);
    for (size_t d = 0; d < z.size(); ++d) z[d] += e * static_cast<double>(cuda::ToFloat(v[d]));
  }
  *head.Normalizer(i) = static_cast<float>(std::log(sum));
  BFloat16* const out = head.Query(static_cast<BFloat16*>(call.z), i);
  for (size_t d = 0; d < z.size(); ++d) cuda::Set(out + d, static_cast<float>(z[d] / sum));
}

struct Sums {
  Doubles q, k, v;
};

void BackwardRow(const CudaAttention& call, const Head& head, int64_t i, Sums* sums) {
  const BFloat16* const grad = head.Query(Head::Of(call.grad_z), i);
  const double inner = head.Dot(grad, head.Query(Head::Of(call.z), i));
  const auto at = [&](const BFloat16* p, const void* base) { return p - Head::Of(base); };
  for (int64_t j = 0; j < head.keys(); ++j) {
    if (!head.Sees(i, j)) continue;
    const double score = head.Score(i, j);
    const double p = std::exp(score - static_cast<double>(*head.Normalizer(i)));
    const BFloat16* const q = head.Query(Head::Of(call.q), i);
    const BFloat16* const k = head.Key(Head::Of(call.k), j);
    const BFloat16* const v = head.Key(Head::Of(call.v), j);
    const double g =
        p * (head.Dot(grad, v) - inner) * head.Slope(score) * static_cast<double>(call.shape.scale);
    for (int64_t d = 0; d < call.shape.head_dim; ++d) {
      const auto wide = [d](const BFloat16* x) { return static_cast<double>(cuda::ToFloat(x[d])); };
      sums->q[static_cast<size_t>(at(q, call.q) + d)] += g * wide(k);
      sums->k[static_cast<size_t>(at(k, call.k) + d)] += g * wide(q);
      sums->v[static_cast<size_t>(at(v, call.v) + d)] += p * wide(grad);
    }
  }
}

template <class Fn>
void ForEachRow(const CudaAttention& call, const Fn& fn) {
  for (int32_t sequence = 0; sequence < call.shape.sequences; ++sequence) {
    for (int64_t h = 0; h < call.shape.heads; ++h) {
      const Head head(call, sequence, h);
      for (int64_t i = 0; i < head.queries(); ++i) fn(head, i);
    }
  }
}

void Round(const Doubles& from, void* to) {
  auto* const out = static_cast<BFloat16*>(to);
  for (size_t i = 0; i < from.size(); ++i) cuda::Set(out + i, static_cast<float>(from[i]));
}

const char* Prepare(const CudaAttentionShape&, int64_t* forward, int64_t* backward) {
  *forward = *backward = 0;
  return nullptr;
}
const char* Forward(const CudaAttention& call, void*) {
  ForEachRow(call, [&](const Head& head, int64_t i) { ForwardRow(call, head, i); });
  return nullptr;
}
const char* Backward(const CudaAttention& call, void*) {
  const auto last = static_cast<size_t>(call.shape.sequences);
  const auto queries = static_cast<size_t>(call.query_offsets[last]);
  const auto keys = static_cast<size_t>(call.key_offsets[last]);
  Sums sums = {Doubles(queries, 0), Doubles(keys, 0), Doubles(keys, 0)};
  ForEachRow(call, [&](const Head& head, int64_t i) { BackwardRow(call, head, i, &sums); });
  Round(sums.q, call.grad_q);
  Round(sums.k, call.grad_k);
  Round(sums.v, call.grad_v);
  return nullptr;
}
const char* TryPlan(const CudaAttentionShape&, const char*, int) { return "this is no cuDNN"; }

}  // namespace

const CudaAttentionTable& SerialAttention() {
  static constexpr CudaAttentionTable kTable = {Prepare, Forward, Backward, TryPlan};
  return kTable;
}

}  // namespace fpo::train
