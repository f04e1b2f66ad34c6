#include "train/tables/table_library.h"

#include <dlfcn.h>

#include <filesystem>

#include "absl/strings/str_cat.h"

namespace fpo::train {
namespace {

constexpr char kTableLibrary[] = "libfpo_arrow.so";

std::string OwnFolder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

}  // namespace

absl::StatusOr<void*> TableFunction(const char* name, const std::string& folder) {
  const std::string library =
      absl::StrCat(folder.empty() ? OwnFolder() : folder, "/", kTableLibrary);
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays open
  void* function = handle == nullptr ? nullptr : dlsym(handle, name);
  if (function != nullptr) return function;
  return absl::FailedPreconditionError(
      absl::StrCat(library, ", which does not load (", dlerror(), ")"));
}

}  // namespace fpo::train
