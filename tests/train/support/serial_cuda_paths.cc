// Linked into test programs that also run as NAME.cuda: tensors in this processor's memory are then
// computed as on a GPU, by the CUDA kernels' own arithmetic (tests/train/cuda/serial_table.h).

#include <cstdlib>
#include <memory>

#include "tests/train/cuda/serial_table.h"
#include "train/cuda/cuda_library.h"

namespace fpo::train {
namespace {

[[maybe_unused]] const std::unique_ptr<CudaTableInScope> computes_as_on_a_gpu =
    std::getenv("FPO_TEST_CUDA") == nullptr ? nullptr
                                            : std::make_unique<CudaTableInScope>(SerialCudaTable());

}  // namespace
}  // namespace fpo::train
