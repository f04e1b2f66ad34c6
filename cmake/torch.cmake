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
target_link_options(fpo_torch INTERFACE -Wl,-rpath,${FPO_TORCH_DIR}/lib -Wl,-rpath-link,${FPO_TORCH_DIR}/lib)
target_link_libraries(fpo_torch INTERFACE ${FPO_TORCH_DIR}/lib/libtorch_cpu.so ${FPO_TORCH_DIR}/lib/libc10.so)

# ccache caches objects with a precompiled header only with this sloppiness, so it is set here and not left to the caller's environment.
function(fpo_cache_with_pch target)
  if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES "ccache")
    set_target_properties(${target} PROPERTIES CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros;${CMAKE_CXX_COMPILER_LAUNCHER}")
  endif()
endfunction()

# fpo_use_trainer_pch(TARGET): compile TARGET with the precompiled header of fpo_ops (worker/trainer/pch.h).
function(fpo_use_trainer_pch target)
  if(NOT target STREQUAL "fpo_ops")
    target_precompile_headers(${target} REUSE_FROM fpo_ops)
  endif()
  fpo_cache_with_pch(${target})
endfunction()

# fpo_use_trainer_test_pch(TARGET): the same for tests, with the header of fpo_finite_difference (tests/worker/trainer/pch.h). Tests call
# the optimised libraries; their own code is compiled fast instead.
function(fpo_use_trainer_test_pch target)
  if(NOT target STREQUAL "fpo_finite_difference")
    target_precompile_headers(${target} REUSE_FROM fpo_finite_difference)
  endif()
  target_compile_options(${target} PRIVATE -O0)
  fpo_cache_with_pch(${target})
endfunction()
