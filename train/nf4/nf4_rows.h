#pragma once

#include <array>
#include <cstdint>

// Loops over blocks of NF4 on plain pointers, each for one thread; nf4_tensor.h says what they
// compute.
namespace fpo::train {

// The blocks [begin, end) of `count` numbers.
struct BlockRange {
  int64_t begin, end;
  int64_t block;  // numbers of one
  int64_t count;
};

// Codes and magnitudes of float32 weights; false when one is not finite.
bool PackNf4(const float* weights, const BlockRange& range, uint8_t* codes, float* absmax);

// Magnitudes of blocks, less their mean, and the 256 ascending values of their codes.
struct CentredMagnitudes {
  const float *values, *map;
};
// The code of the nearest value, of each divided by the largest of its block.
void CodeMagnitudes(const CentredMagnitudes& magnitudes, const BlockRange& range, uint8_t* codes,
                    float* absmax);

// value * magnitude, of bfloat16 rounded to the nearest.
void WriteNf4(const uint8_t* codes, const float* magnitudes, const BlockRange& range, float* out);
void WriteNf4(const uint8_t* codes, const float* magnitudes, const BlockRange& range, double* out);
void WriteNf4AsBFloat16(const uint8_t* codes, const float* magnitudes, const BlockRange& range,
                        uint16_t* out);

// The 16 values, ascending.
inline constexpr std::array<float, 16> kNf4Values = {
    -1.0F,          -0.696192801F, -0.525073051F, -0.394917488F, -0.284441382F, -0.18477343F,
    -0.0910500363F, 0.0F,          0.0795802996F, 0.160930201F,  0.246112302F,  0.337915242F,
    0.440709829F,   0.562617004F,  0.722956836F,  1.0F};

}  // namespace fpo::train
