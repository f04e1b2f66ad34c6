#pragma once

#include <cstdint>

#include "train/cuda/kernels/cuda_table.h"
#include "train/cuda/kernels/elementwise_block.h"
#include "train/cuda/kernels/logit_block.h"
#include "train/cuda/kernels/nf4_block.h"
#include "train/cuda/kernels/norm_block.h"
#include "train/cuda/kernels/numbers.h"
#include "train/cuda/kernels/sum_block.h"
#include "train/cuda/kernels/update_block.h"

namespace fpo::train::cuda {

// Threads for a row: a pack each, 1024 at most.
inline int ThreadsFor(int64_t width, int pack) {
  int threads = 32;
  while (threads < 256 && static_cast<int64_t>(threads) * pack < width) threads *= 2;
  return threads;
}

// The calls of the table, for a grid: `Grid::Launch(kernel, {blocks, threads}, stream)` runs
// kernel(block, index) for every index below `blocks` and returns as the table's calls do.
struct Size {
  int64_t blocks;
  int threads;
};

template <class Grid>
struct Calls {
  template <template <class> class Kernel, class Call>
  static const char* ByType(const Call& call, Size size, void* stream) {
    if (call.type == NumberType::kBFloat16) {
      return Grid::Launch(Kernel<BFloat16>{call}, size, stream);
    }
    return Grid::Launch(Kernel<float>{call}, size, stream);
  }
  static int Pack(NumberType type) {
    return type == NumberType::kBFloat16 ? kPack<BFloat16> : kPack<float>;
  }

  static const char* Norm(const CudaNorm& call, void* stream) {
    return ByType<NormForward>(call, {call.rows, ThreadsFor(call.width, Pack(call.type))}, stream);
  }
  static const char* NormGradient(const CudaNormGradient& call, void* stream) {
    const Size size = {CudaNormParts(call.rows), ThreadsFor(call.width, Pack(call.type))};
    if (const char* problem = ByType<NormBackward>(call, size, stream)) return problem;
    return Grid::Launch(NormWeightSums{call}, {(call.width + 63) / 64, 64}, stream);
  }
  static const char* Gated(const CudaGated& call, void* stream) {
    return ByType<GatedForward>(call, {call.rows, ThreadsFor(call.width, Pack(call.type))}, stream);
  }
  static const char* GatedGradient(const CudaGatedGradient& call, void* stream) {
    const Size size = {call.rows, ThreadsFor(call.width, Pack(call.type))};
    return ByType<GatedBackward>(call, size, stream);
  }
  static const char* Rope(const CudaRope& call, void* stream) {
    const int64_t width = call.heads * call.half;
    return ByType<Rotate>(call, {call.tokens, ThreadsFor(width, Pack(call.type))}, stream);
  }

  static const char* Logits(const CudaLogits& call, void* stream) {
    return Grid::Launch(MeasureRow{call}, {call.rows, 512}, stream);
  }
  static const char* Kl(const CudaKl& call, void* stream) {
    return Grid::Launch(KlOfRows{call}, {call.rows, 512}, stream);
  }
  static const char* LogitGradient(const CudaLogitGradient& call, void* stream) {
    const Size size = {call.rows, 512};
    if (call.narrow) return Grid::Launch(GradientOfRow<BFloat16>{call}, size, stream);
    return Grid::Launch(GradientOfRow<float>{call}, size, stream);
  }

  static const char* RowSums(const CudaRowSums& call, void* stream) {
    const int64_t tiles = (call.width + 127) / 128;
    return Grid::Launch(RowSum{call}, {call.segments * tiles, 128}, stream);
  }
  static const char* ResponseSums(const CudaResponseSums& call, void* stream) {
    return Grid::Launch(ResponseSum{call}, {call.segments, 256}, stream);
  }
  static const char* Squares(const CudaSquares& call, void* stream) {
    return Grid::Launch(SquaresOfBlock{call}, {CudaSquareParts(call.count), 256}, stream);
  }
  static const char* Clip(const CudaClip& call, void* stream) {
    return Grid::Launch(ClipFactorOf{call}, {1, 512}, stream);
  }
  static const char* Adam(const CudaUpdate& call, const AdamStep& step, void* stream) {
    return Grid::Launch(UpdateOfBlock<AdamRule>{call, {step}}, UpdateSize(call), stream);
  }
  static const char* RmsProp(const CudaUpdate& call, const RmsPropStep& step, void* stream) {
    return Grid::Launch(UpdateOfBlock<RmsPropRule>{call, {step}}, UpdateSize(call), stream);
  }
  static Size UpdateSize(const CudaUpdate& call) {
    return {(call.span.count + kUpdateBlock - 1) / kUpdateBlock, 256};
  }

  static const char* Nf4(const CudaNf4& call, void* stream) {
    return ByType<Nf4Dense>(call, {(call.count + kNf4Span - 1) / kNf4Span, 256}, stream);
  }

  static constexpr CudaTable kTable = {kCudaTableVersion,
                                       Norm,
                                       NormGradient,
                                       Gated,
                                       GatedGradient,
                                       Rope,
                                       Logits,
                                       Kl,
                                       LogitGradient,
                                       RowSums,
                                       ResponseSums,
                                       Squares,
                                       Clip,
                                       Adam,
                                       RmsProp,
                                       Nf4,
                                       nullptr};
};

}  // namespace fpo::train::cuda
