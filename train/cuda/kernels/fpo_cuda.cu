// libfpo_cuda.so: the kernels of launch.h for a GPU. cuda_library.cc opens it.

#include "train/cuda/kernels/cudnn_attention.h"
#include "train/cuda/kernels/device_grid.h"

extern "C" __attribute__((visibility("default"))) const fpo::train::CudaTable* FpoCudaTable() {
  static const fpo::train::CudaTable table = [] {
    fpo::train::CudaTable made = fpo::train::cuda::Calls<fpo::train::cuda::DeviceGrid>::kTable;
    if (fpo::train::cuda::CudnnAttention != nullptr)
      made.attention = fpo::train::cuda::CudnnAttention();
    return made;
  }();
  return &table;
}
