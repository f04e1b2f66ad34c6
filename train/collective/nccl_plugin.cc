// libfpo_nccl.so: the only code that depends on NCCL. nccl_backend.cc opens it after LibTorch's
// CUDA library, whose symbols it resolves from the process.

#include <chrono>
#include <cstdint>
#include <cstdlib>

#define USE_C10D_NCCL  // without it the next header is empty
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

extern "C" c10d::Backend* FpoMakeNcclBackend(c10d::Store* store, int rank, int world,
                                             int64_t timeout_ms) {
  // A lost peer must surface as an error of the call that waits for it, with its exit code; c10d's
  // own watchdog would abort the process.
  setenv("TORCH_NCCL_BLOCKING_WAIT", "1", 1);
  setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0", 1);
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = std::chrono::milliseconds(timeout_ms);
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(
             c10::intrusive_ptr<c10d::Store>::reclaim_copy(store), rank, world, options)
      .release();
}
