#include "train/cuda/cuda_library.h"

#include <dlfcn.h>

#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <atomic>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace fpo::train {
namespace {

std::atomic<const CudaTable*> table_of_tests{nullptr};

struct Opened {
  const CudaTable* table = nullptr;
  std::string problem;

  Opened() {
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    table = OpenCudaLibrary((program.parent_path() / "libfpo_cuda.so").string(), &problem);
  }
};

Opened& Library() {
  static Opened opened;
  return opened;
}

}  // namespace

const CudaTable* OpenCudaLibrary(const std::string& path, std::string* problem) {
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays open
  if (library == nullptr) {
    const char* const why = dlerror();
    *problem = absl::StrCat("its kernels do not load: ", why == nullptr ? path : why,
                            "; build fpo-train where nvcc is");
    return nullptr;
  }
  const auto function = reinterpret_cast<CudaTableFunction>(dlsym(library, kCudaTableSymbol));
  const CudaTable* const table = function == nullptr ? nullptr : function();
  if (table == nullptr || table->version != kCudaTableVersion) {
    *problem = absl::StrCat(
        path, " has kernels of ",
        table == nullptr ? "another program" : absl::StrCat("version ", table->version),
        ", this program needs version ", kCudaTableVersion, ": build both together");
    return nullptr;
  }
  return table;
}

const CudaTable* CudaTableFor(const at::Tensor& x) {
  const at::ScalarType type = x.scalar_type();
  if (type != at::kFloat && type != at::kBFloat16) return nullptr;
  if (x.is_cuda()) return Library().table;
  return x.is_cpu() ? table_of_tests.load() : nullptr;
}

std::string CudaLibraryProblem() { return Library().problem; }
const CudaTable* CudaLibraryTable() { return Library().table; }
void RefuseCudaLibrary(const std::string& problem) {
  Library().table = nullptr;
  Library().problem = problem;
}

void* CudaStreamOf(const at::Tensor& x) {
  if (!x.is_cuda()) return nullptr;
  const c10::impl::VirtualGuardImpl cuda(c10::DeviceType::CUDA);
  return cuda.getStreamNativeHandle(cuda.getStream(x.device()));
}

void ThrowUnlessQueued(const char* problem, const char* name) {
  TORCH_CHECK(problem == nullptr, "CUDA error: ", problem, " (", name, " of libfpo_cuda.so)");
}

CudaTableInScope::CudaTableInScope(const CudaTable& table) { table_of_tests = &table; }
CudaTableInScope::~CudaTableInScope() { table_of_tests = nullptr; }

}  // namespace fpo::train
