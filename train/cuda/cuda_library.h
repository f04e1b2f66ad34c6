#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "train/cuda/kernels/cuda_table.h"

namespace fpo::train {

// libfpo_cuda.so, beside the program: kernels for float32 and bfloat16 on a GPU. Opened when the
// first tensor on a GPU asks for it; where it is missing, does not load or is another version, the
// operators of LibTorch compute instead.
const CudaTable* CudaTableFor(const at::Tensor& x);

// Why the library cannot be used, in words for a user, or empty. Opens it.
std::string CudaLibraryProblem();
const CudaTable* CudaLibraryTable();                 // null where there is a problem
void RefuseCudaLibrary(const std::string& problem);  // before the first computation

// Opens the library at `path`. Null, and `problem` says why, unless it is of this version.
const CudaTable* OpenCudaLibrary(const std::string& path, std::string* problem);

// Queues work on the current stream of x's device. Throws c10::Error that begins as LibTorch's own
// do, when the call could not be queued.
template <class Function, class... Arguments>
void CallCuda(const at::Tensor& x, const char* name, Function function,
              const Arguments&... arguments);
void* CudaStreamOf(const at::Tensor& x);
void ThrowUnlessQueued(const char* problem, const char* name);

template <class Function, class... Arguments>
void CallCuda(const at::Tensor& x, const char* name, Function function,
              const Arguments&... arguments) {
  ThrowUnlessQueued(function(arguments..., CudaStreamOf(x)), name);
}

// Lets tensors in the processor's memory use `table` until the end of the scope, for tests.
class CudaTableInScope {
 public:
  explicit CudaTableInScope(const CudaTable& table);
  ~CudaTableInScope();
  CudaTableInScope(const CudaTableInScope&) = delete;
  CudaTableInScope& operator=(const CudaTableInScope&) = delete;
};

}  // namespace fpo::train
