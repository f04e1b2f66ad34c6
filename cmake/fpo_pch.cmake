# Precompiled headers: what most files of a layer read, compiled once. A file still includes what it uses; scripts/check.sh compiles each
# by itself and without them. Three layers, each with a second set for tests, whose own code is compiled fast instead of fast to run:
#   core     values, statuses, time, locks, JSON: no gRPC, no torch
#   edge     core, gRPC and the messages of proto/
#   trainer  LibTorch (train/pch.h, cmake/torch.cmake)
include_guard()
option(FPO_PCH "Precompile the headers of the layers core and edge (the trainer's always are: they cost ten times as much)" ON)

set(fpo_core_headers
  <algorithm> <atomic> <cstdint> <deque> <filesystem> <fstream> <functional> <map> <memory> <optional> <set> <sstream> <string> <thread>
  <utility> <variant> <vector>
  <absl/base/thread_annotations.h> <absl/status/status.h> <absl/status/statusor.h> <absl/strings/ascii.h> <absl/strings/escaping.h>
  <absl/strings/match.h> <absl/strings/numbers.h> <absl/strings/str_cat.h> <absl/strings/str_format.h> <absl/strings/str_join.h>
  <absl/strings/str_split.h> <absl/strings/strip.h> <absl/synchronization/mutex.h> <absl/time/clock.h> <absl/time/time.h>
  <absl/types/span.h> <nlohmann/json.hpp>)
set(fpo_edge_headers ${fpo_core_headers} <grpcpp/grpcpp.h>)
set(fpo_trainer_headers ${CMAKE_SOURCE_DIR}/train/pch.h <nlohmann/json.hpp>)
set(fpo_test_headers <gmock/gmock.h> <gtest/gtest.h>)

# ccache stores objects of a target with a precompiled header only with this sloppiness; set here, not left to the caller's environment.
function(fpo_cache_with_pch target)
  if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES "ccache")
    set_target_properties(${target} PROPERTIES CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros;${CMAKE_CXX_COMPILER_LAUNCHER}")
  endif()
endfunction()

# fpo_make_pch(TARGET core|edge|trainer [HEADERS more...]): TARGET compiles a header set, for itself and for others.
function(fpo_make_pch target layer)
  cmake_parse_arguments(ARG "" "" "HEADERS" ${ARGN})
  set(headers ${fpo_${layer}_headers} ${ARG_HEADERS})
  if(layer STREQUAL "edge")
    get_target_property(messages fpo_proto FPO_HEADERS)
    list(APPEND headers ${messages})
  endif()
  target_precompile_headers(${target} PRIVATE ${headers})
  fpo_cache_with_pch(${target})
  get_target_property(launcher ${target} CXX_COMPILER_LAUNCHER)
  if(launcher MATCHES "ccache")
    set_target_properties(${target} PROPERTIES CXX_COMPILER_LAUNCHER "${CMAKE_SOURCE_DIR}/cmake/fresh_pch.sh;${launcher}")
  endif()
endfunction()

# fpo_pch_owner(NAME core|edge|trainer [TEST]): a target that compiles a header set and nothing else.
function(fpo_pch_owner name layer)
  cmake_parse_arguments(ARG "TEST" "" "" ${ARGN})
  file(WRITE ${CMAKE_BINARY_DIR}/${name}.cc.new "// ${name} compiles its precompiled header and nothing else.\n")
  file(COPY_FILE ${CMAKE_BINARY_DIR}/${name}.cc.new ${CMAKE_BINARY_DIR}/${name}.cc ONLY_IF_DIFFERENT)
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/${name}.cc)
  target_link_libraries(${name} PRIVATE fpo_options nlohmann_json::nlohmann_json absl::status absl::statusor absl::strings absl::synchronization absl::time)
  if(layer STREQUAL "edge")
    target_link_libraries(${name} PRIVATE fpo_proto)
  elseif(layer STREQUAL "trainer")
    target_link_libraries(${name} PRIVATE fpo_torch)
  endif()
  if(ARG_TEST)
    target_link_libraries(${name} PRIVATE GTest::gmock)
    target_compile_options(${name} PRIVATE -O0)
    fpo_make_pch(${name} ${layer} HEADERS ${fpo_test_headers})
  else()
    target_compile_options(${name} PRIVATE ${fpo_${layer}_options})
    fpo_make_pch(${name} ${layer})
  endif()
endfunction()

# fpo_reuse_pch(TARGET OWNER): also for a target that had another one before.
function(fpo_reuse_pch target owner)
  target_precompile_headers(${target} REUSE_FROM ${owner})
  fpo_cache_with_pch(${target})
endfunction()

# fpo_use_pch(TARGET LAYER), fpo_use_test_pch(TARGET LAYER): the default layer is core. The first library of edge and of trainer makes their
# headers: a target that did nothing else would instantiate the header's templates once more. fpo_common cannot: its own libraries define
# macros, and g++ takes a precompiled header only with the macros it was made with.
set(fpo_core_pch_maker fpo_core_pch)
set(fpo_edge_pch_maker fpo_rpc)
set(fpo_trainer_pch_maker fpo_train_core)
function(fpo_use_pch target layer)
  if(NOT layer)
    set(layer core)
  endif()
  target_compile_options(${target} PRIVATE ${fpo_${layer}_options})
  if(layer STREQUAL "trainer")  # of programs and of the library that NCCL is in
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_compile_options(${target} PRIVATE -fPIC -fno-semantic-interposition)
  endif()
  if(NOT FPO_PCH AND NOT layer STREQUAL "trainer")
    return()
  endif()
  if(target STREQUAL fpo_${layer}_pch_maker)
    fpo_make_pch(${target} ${layer})
  else()
    fpo_reuse_pch(${target} ${fpo_${layer}_pch_maker})
  endif()
endfunction()
function(fpo_use_test_pch target layer)
  if(NOT layer)
    set(layer core)
  endif()
  target_compile_options(${target} PRIVATE -O0)
  fpo_reuse_pch(${target} fpo_${layer}_test_pch)
endfunction()
