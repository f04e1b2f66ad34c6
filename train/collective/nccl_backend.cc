#include <dlfcn.h>

#include <filesystem>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "absl/strings/str_cat.h"
#include "train/collective/backend.h"

namespace fpo::train {
namespace {

// Exported by nccl_plugin.cc. Returns an owned reference.
using MakeBackend = c10d::Backend* (*)(c10d::Store*, int rank, int world, int64_t timeout_ms);

}  // namespace

absl::StatusOr<c10::intrusive_ptr<c10d::Backend>> MakeNcclBackend(const BackendRequest& request) {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string path = (program.parent_path() / "libfpo_nccl.so").string();
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays open
  if (library == nullptr) {
    return absl::NotFoundError(absl::StrCat(
        "several ranks on CUDA devices need NCCL, but ", path, " does not load: ", dlerror(),
        "; build fpo-train where nccl.h and the CUDA toolkit are installed, or train "
        "with --device cpu"));
  }
  const auto make = reinterpret_cast<MakeBackend>(dlsym(library, "FpoMakeNcclBackend"));
  if (make == nullptr) {
    return absl::NotFoundError(
        absl::StrCat(path, " is not this program's NCCL library: ", dlerror()));
  }
  c10d::Backend* backend = make(request.store.get(), request.rank, request.world,
                                absl::ToInt64Milliseconds(request.timeout));
  return c10::intrusive_ptr<c10d::Backend>::reclaim(backend);
}

}  // namespace fpo::train
