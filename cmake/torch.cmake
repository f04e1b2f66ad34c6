# LibTorch from the cache folder that scripts/setup.sh fills. Only trainer targets link it: the wheel's include folder also holds
# protobuf 3.13 and fmt 12, which must not meet Debian's.
include_guard()
if(DEFINED ENV{FPO_DEPS_DIR})
  set(fpo_deps_default $ENV{FPO_DEPS_DIR})
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(fpo_deps_default $ENV{XDG_CACHE_HOME}/fpo)
else()
  set(fpo_deps_default $ENV{HOME}/.cache/fpo)
endif()
set(FPO_TORCH_DIR ${fpo_deps_default}/libtorch-2.11.0 CACHE PATH "LibTorch folder with include/ and lib/")
if(NOT EXISTS ${FPO_TORCH_DIR}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "LibTorch is not in ${FPO_TORCH_DIR}. Run scripts/setup.sh, or configure with "
    "--preset services to build without the trainer.")
endif()
add_library(fpo_torch INTERFACE)
target_include_directories(fpo_torch SYSTEM INTERFACE ${FPO_TORCH_DIR}/include
  ${FPO_TORCH_DIR}/include/torch/csrc/api/include)
target_compile_definitions(fpo_torch INTERFACE USE_C10D_GLOO USE_DISTRIBUTED)
target_link_options(fpo_torch INTERFACE -Wl,-rpath-link,${FPO_TORCH_DIR}/lib)
target_link_libraries(fpo_torch INTERFACE ${FPO_TORCH_DIR}/lib/libtorch_cpu.so ${FPO_TORCH_DIR}/lib/libc10.so)
file(CREATE_LINK ${FPO_TORCH_DIR} ${CMAKE_BINARY_DIR}/torch SYMBOLIC)  # where bin/fpo-train looks for it (fpo_relocatable)
