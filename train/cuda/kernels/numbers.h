#pragma once

#include <cstdint>

// Numbers in memory and in arithmetic, for the host's compiler and for nvcc.
#if defined(__CUDACC__)
#define FPO_BOTH __host__ __device__
#define FPO_DEVICE __device__
#else
#define FPO_BOTH
#define FPO_DEVICE
#endif

namespace fpo::train::cuda {

struct BFloat16 {
  uint16_t bits;
};

FPO_BOTH inline float ToFloat(float x) { return x; }
FPO_BOTH inline float ToFloat(BFloat16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float value;
  __builtin_memcpy(&value, &bits, sizeof(value));
  return value;
}

FPO_BOTH inline void Set(float* out, float x) { *out = x; }
// To the nearest, ties to even; NaN stays NaN.
FPO_BOTH inline void Set(BFloat16* out, float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  const bool is_nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
  out->bits = is_nan ? uint16_t{0x7FC0}
                     : static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}
template <class T>
FPO_BOTH inline float Rounded(float x) {
  T value;
  Set(&value, x);
  return ToFloat(value);
}

// Numbers that one instruction moves.
template <class T>
constexpr int kPack = static_cast<int>(16 / sizeof(T));
template <class T, int kCount>
struct [[gnu::may_alias]] alignas(kCount * sizeof(T)) Moved {
  T values[kCount];
};

// out[i] = p[i] for i < count, 0 for the others. kCount numbers at aligned addresses are moved
// together.
template <int kCount, class T>
FPO_BOTH inline void Load(const T* p, int64_t count, float (&out)[kCount]) {
  constexpr int kStep = kCount < kPack<T> ? kCount : kPack<T>;
  using Step = Moved<T, kStep>;
  if (count >= kCount && reinterpret_cast<uintptr_t>(p) % sizeof(Step) == 0) {
    for (int i = 0; i < kCount; i += kStep) {
      const Step moved = *reinterpret_cast<const Step*>(p + i);
      for (int j = 0; j < kStep; ++j) out[i + j] = ToFloat(moved.values[j]);
    }
    return;
  }
  for (int i = 0; i < kCount; ++i) out[i] = i < count ? ToFloat(p[i]) : 0;
}

template <int kCount, class T>
FPO_BOTH inline void Store(const float (&in)[kCount], int64_t count, T* p) {
  constexpr int kStep = kCount < kPack<T> ? kCount : kPack<T>;
  using Step = Moved<T, kStep>;
  if (count >= kCount && reinterpret_cast<uintptr_t>(p) % sizeof(Step) == 0) {
    for (int i = 0; i < kCount; i += kStep) {
      Step moved;
      for (int j = 0; j < kStep; ++j) Set(&moved.values[j], in[i + j]);
      *reinterpret_cast<Step*>(p + i) = moved;
    }
    return;
  }
  for (int i = 0; i < kCount && i < count; ++i) Set(p + i, in[i]);
}

// A row of a matrix of T.
template <class T>
FPO_BOTH inline const T* RowOf(const void* matrix, int64_t row, int64_t stride) {
  return static_cast<const T*>(matrix) + row * stride;
}
template <class T>
FPO_BOTH inline T* RowOf(void* matrix, int64_t row, int64_t stride) {
  return static_cast<T*>(matrix) + row * stride;
}

// fn(first, left) for a thread's share of [0, width), kCount numbers at a time.
template <int kCount, class Fn>
FPO_BOTH inline void ForEachPack(int64_t width, int thread, int threads, const Fn& fn) {
  for (int64_t i = int64_t{kCount} * thread; i < width; i += int64_t{kCount} * threads) {
    fn(i, width - i);
  }
}

}  // namespace fpo::train::cuda
