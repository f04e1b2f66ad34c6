#include "tests/train/cuda/serial_table.h"

#include "tests/train/cuda/serial_attention.h"
#include "tests/train/cuda/serial_grid.h"

namespace fpo::train {

const CudaTable& SerialCudaTable() {
  static const CudaTable table = [] {
    CudaTable made = cuda::Calls<cuda::SerialGrid>::kTable;
    made.attention = &SerialAttention();
    return made;
  }();
  return table;
}

}  // namespace fpo::train
