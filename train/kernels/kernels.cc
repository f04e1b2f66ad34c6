// The kernels of one instruction set: CMakeLists.txt compiles this file once for each, with
// FPO_KERNELS naming the set.

#include "train/kernels/attention_rows.h"
#include "train/kernels/attention_scratch.h"
#include "train/kernels/kernel_set.h"
#include "train/kernels/logit_rows.h"
#include "train/kernels/pointwise_rows.h"
#include "train/kernels/update_rows.h"

namespace fpo::train::FPO_KERNELS {

extern const KernelSet kKernels;
#if defined(__AVX512F__)
#define FPO_CAPABILITY "AVX512"
#elif defined(__AVX2__)
#define FPO_CAPABILITY "AVX2"
#else
#define FPO_CAPABILITY "DEFAULT"
#endif
const KernelSet kKernels = {
    FPO_CAPABILITY,   MeasureLogits,     KlOfLogits,    LogitsToGradient,
    NormForward,      NormBackward,      GegluForward,  GegluBackward,
    SwigluForward,    SwigluBackward,    RotateRow,     AddCodes,
    SumOfSquares,     AdamUpdate,        RmsPropUpdate, AttentionScratch::Floats,
    AttentionForward, AttentionBackward,
};

}  // namespace fpo::train::FPO_KERNELS
