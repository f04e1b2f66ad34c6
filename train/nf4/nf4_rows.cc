#include "train/nf4/nf4_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace fpo::train {
namespace {

// The number of `bounds` below v: the nearest of the values between which they are the middles.
template <size_t kCount>
uint8_t Nearest(const std::array<float, kCount>& bounds, float v) {
  return static_cast<uint8_t>(std::lower_bound(bounds.begin(), bounds.end(), v) - bounds.begin());
}

template <size_t kCount>
std::array<float, kCount - 1> Middles(const float* values) {
  std::array<float, kCount - 1> middles{};
  for (size_t i = 0; i + 1 < kCount; ++i) middles[i] = (values[i] + values[i + 1]) / 2;
  return middles;
}

// Brings the numbers of a block into [-1, 1]. As bitsandbytes: a whole block is multiplied by the
// reciprocal, a part of one, the last of a tensor, divided.
struct BlockScale {
  BlockScale(float absmax, bool is_whole)
      : whole(is_whole), magnitude(std::max(absmax, 1e-38F)), reciprocal(1 / magnitude) {}
  float operator()(float x) const {
    return std::clamp(whole ? x * reciprocal : x / magnitude, -1.0F, 1.0F);
  }

  bool whole;
  float magnitude, reciprocal;
};

// The largest magnitude, or the first that is not finite.
float LargestOf(const float* values, int64_t begin, int64_t end) {
  float largest = 0;
  for (int64_t i = begin; i < end; ++i) {
    const float magnitude = std::abs(values[i]);
    if (!(magnitude <= std::numeric_limits<float>::max())) return magnitude;
    largest = std::max(largest, magnitude);
  }
  return largest;
}

// fn(block, first, end)
template <class Fn>
void ForEachBlock(const BlockRange& range, const Fn& fn) {
  for (int64_t block = range.begin; block < range.end; ++block) {
    fn(block, block * range.block, std::min(range.count, (block + 1) * range.block));
  }
}

void Set(float value, float* out) { *out = value; }
void Set(float value, double* out) { *out = static_cast<double>(value); }
// Of finite numbers.
void Set(float value, uint16_t* out) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  *out = static_cast<uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

template <class T>
void Write(const uint8_t* codes, const float* magnitudes, const BlockRange& range, T* out) {
  ForEachBlock(range, [&](int64_t block, int64_t first, int64_t end) {
    T scaled[kNf4Values.size()];
    for (size_t i = 0; i < kNf4Values.size(); ++i) {
      Set(kNf4Values[i] * magnitudes[block], &scaled[i]);
    }
    for (int64_t i = first; i + 1 < end; i += 2) {
      const uint8_t pair = codes[i / 2];
      out[i] = scaled[pair >> 4];
      out[i + 1] = scaled[pair & 15];
    }
    if ((end - first) % 2 == 1) out[end - 1] = scaled[codes[end / 2] >> 4];
  });
}

}  // namespace

bool PackNf4(const float* weights, const BlockRange& range, uint8_t* codes, float* absmax) {
  const auto bounds = Middles<kNf4Values.size()>(kNf4Values.data());
  bool finite = true;
  ForEachBlock(range, [&](int64_t block, int64_t first, int64_t end) {
    absmax[block] = LargestOf(weights, first, end);
    finite = finite && std::isfinite(absmax[block]);
    const BlockScale scaled(absmax[block], end - first == range.block);
    if (!scaled.whole) absmax[block] = scaled.magnitude;
    for (int64_t i = first; i < end; i += 2) {
      const int high = Nearest(bounds, scaled(weights[i]));
      const int low = Nearest(bounds, i + 1 < end ? scaled(weights[i + 1]) : 0);
      codes[i / 2] = static_cast<uint8_t>((high << 4) | low);
    }
  });
  return finite;
}

void CodeMagnitudes(const CentredMagnitudes& magnitudes, const BlockRange& range, uint8_t* codes,
                    float* absmax) {
  const auto bounds = Middles<256>(magnitudes.map);
  const float* const values = magnitudes.values;
  ForEachBlock(range, [&](int64_t block, int64_t first, int64_t end) {
    absmax[block] = LargestOf(values, first, end);
    const BlockScale scaled(absmax[block], end - first == range.block);
    for (int64_t i = first; i < end; ++i) codes[i] = Nearest(bounds, scaled(values[i]));
  });
}

void WriteNf4(const uint8_t* codes, const float* magnitudes, const BlockRange& range, float* out) {
  Write(codes, magnitudes, range, out);
}
void WriteNf4(const uint8_t* codes, const float* magnitudes, const BlockRange& range, double* out) {
  Write(codes, magnitudes, range, out);
}
void WriteNf4AsBFloat16(const uint8_t* codes, const float* magnitudes, const BlockRange& range,
                        uint16_t* out) {
  Write(codes, magnitudes, range, out);
}

}  // namespace fpo::train
