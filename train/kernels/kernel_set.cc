#include "train/kernels/kernel_set.h"

#include <cstring>

namespace fpo::train {

namespace avx512_kernels {
extern const KernelSet kKernels;
}
namespace avx2_kernels {
extern const KernelSet kKernels;
}
namespace default_kernels {
extern const KernelSet kKernels;
}

const KernelSet& KernelsFor(const char* capability) {
  const KernelSet* const sets[] = {&avx512_kernels::kKernels, &avx2_kernels::kKernels};
  for (const KernelSet* set : sets) {
    if (std::strcmp(set->name, capability) == 0) return *set;
  }
  return default_kernels::kKernels;
}

}  // namespace fpo::train
