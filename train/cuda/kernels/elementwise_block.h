#pragma once

#include <cmath>
#include <cstdint>

#include "train/cuda/kernels/cuda_calls.h"
#include "train/cuda/kernels/numbers.h"

// Gated activation and rotation: kernels as norm_block.h describes them.
namespace fpo::train::cuda {

// activation(x) = x factor, and its derivative.
struct Gate {
  float factor, slope;

  FPO_BOTH static Gate Of(Gating gating, float x) {
    return gating == Gating::kSilu ? Silu(x) : GeluTanh(x);
  }

 private:
  FPO_BOTH static Gate Silu(float x) {
    const float sigmoid = 1 / (1 + expf(-x));
    return {sigmoid, sigmoid * (1 + x * (1 - sigmoid))};
  }
  FPO_BOTH static Gate GeluTanh(float x) {
    constexpr float kScale = 0.7978845608028654F, kCube = 0.044715F;  // sqrt(2 / pi)
    const float t = tanhf((x + x * x * x * kCube) * kScale);
    const float half = (t + 1) * 0.5F;
    const float inner = (x * x * (3 * kCube) + 1) * kScale;
    return {half, half + x * 0.5F * (1 - t * t) * inner};
  }
};

template <class T>
struct GatedForward {  // one row
  CudaGated call;

  template <class Block>
  FPO_DEVICE void operator()(Block& block, int64_t row) const {
    block.Each([&](int thread) {
      ForEachPack<kPack<T>>(call.width, thread, block.threads(), [&](int64_t i, int64_t left) {
        float gate[kPack<T>], up[kPack<T>];
        Load(RowOf<T>(call.gate, row, call.gate_stride) + i, left, gate);
        Load(RowOf<T>(call.up, row, call.up_stride) + i, left, up);
        for (int k = 0; k < kPack<T>; ++k) {
          up[k] = gate[k] * Gate::Of(call.gating, gate[k]).factor * up[k];
        }
        Store(up, left, RowOf<T>(call.out, row, call.out_stride) + i);
      });
    });
  }
};

template <class T>
struct GatedBackward {  // one row
  CudaGatedGradient call;

  template <class Block>
  FPO_DEVICE void operator()(Block& block, int64_t row) const {
    block.Each([&](int thread) {
      ForEachPack<kPack<T>>(call.width, thread, block.threads(), [&](int64_t i, int64_t left) {
        float gate[kPack<T>], up[kPack<T>], grad[kPack<T>];
        Load(RowOf<T>(call.gate, row, call.gate_stride) + i, left, gate);
        Load(RowOf<T>(call.up, row, call.up_stride) + i, left, up);
        Load(RowOf<T>(call.grad, row, call.grad_stride) + i, left, grad);
        for (int k = 0; k < kPack<T>; ++k) {
          const Gate activated = Gate::Of(call.gating, gate[k]);
          up[k] = grad[k] * up[k] * activated.slope;
          grad[k] = gate[k] * activated.factor * grad[k];
        }
        Store(up, left, RowOf<T>(call.grad_gate, row, call.out_stride) + i);
        Store(grad, left, RowOf<T>(call.grad_up, row, call.out_stride) + i);
      });
    });
  }
};

template <class T>
struct Rotate {  // one token
  CudaRope call;

  template <class Block>
  FPO_DEVICE void operator()(Block& block, int64_t token) const {
    constexpr int kCount = kPack<T>;
    const int64_t packs = (call.half + kCount - 1) / kCount;  // of half a head
    block.Each([&](int thread) {
      for (int64_t pack = thread; pack < packs * call.heads; pack += block.threads()) {
        RotatePack(token, pack / packs, pack % packs * kCount);
      }
    });
  }

 private:
  FPO_DEVICE void RotatePack(int64_t token, int64_t head, int64_t i) const {
    const int64_t left = call.half - i, angle = token % call.seq * call.half + i;
    const int64_t first = head * 2 * call.half + i;
    const T* const x = RowOf<T>(call.x, token, call.x_stride) + first;
    T* const out = RowOf<T>(call.out, token, call.heads * 2 * call.half) + first;
    float low[kPack<T>], high[kPack<T>], cos[kPack<T>], sin[kPack<T>];
    Load(x, left, low);
    Load(x + call.half, left, high);
    Load(call.cos + angle, left, cos);
    Load(call.sin + angle, left, sin);
    for (int k = 0; k < kPack<T>; ++k) {
      const float s = sin[k] * call.sign, a = low[k], b = high[k];
      low[k] = a * cos[k] - b * s;
      high[k] = b * cos[k] + a * s;
    }
    Store(low, left, out);
    Store(high, left, out + call.half);
  }
};

}  // namespace fpo::train::cuda
