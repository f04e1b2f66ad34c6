# Functions that define this project's targets. Dependencies are PUBLIC because a layer's headers name types of the layer below it.
include_guard()
include(fpo_pch)

# FPO_UNITY is for first builds: it compiles up to fpo_program_batch sources of a target as one file, so that headers are read and templates
# instantiated once per batch, and lets g++ optimise only what most of the time is spent in, and collect no garbage (about 1.5 GB per
# step). Names in anonymous namespaces must then be unique in their target. "redefinition of X", "X is ambiguous" or a call that picks
# another file's function means that two files have an X: give one of them a better name (SampleRecord for Sample). To keep a source out
# of its batch:
#   set_source_files_properties(a.cc PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
option(FPO_UNITY "Compile sources in batches: a first build is short, an edit compiles its batch" OFF)
set(fpo_program_batch 90)  # sources
set(fpo_test_batch 45)

# What every target is compiled with, the generated code of proto/ included.
add_library(fpo_speed INTERFACE)
target_compile_options(fpo_speed INTERFACE -pthread)  # gRPC's targets bring it; a precompiled header is read with the flags it was made with
# A precompiled header is read with the optimisation it was made with, so that is one choice a layer.
set(fpo_core_options)
set(fpo_edge_options)
set(fpo_trainer_options)
if(FPO_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(fpo_speed INTERFACE --param=ggc-min-expand=1000 --param=ggc-min-heapsize=1048576
    -Wno-subobject-linkage -Wno-stringop-overread)  # the first takes a batch for a header, the second is wrong about an inlined find()
  set(fpo_core_options $<$<CONFIG:Release>:-O0>)
  set(fpo_edge_options $<$<CONFIG:Release>:-O0>)
  set(fpo_trainer_options $<$<CONFIG:Release>:-O0>)
endif()

add_library(fpo_options INTERFACE)
target_link_libraries(fpo_options INTERFACE fpo_speed)
target_include_directories(fpo_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
target_compile_options(fpo_options INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
  $<$<BOOL:${FPO_WERROR}>:-Werror>)
target_compile_definitions(fpo_options INTERFACE $<$<BOOL:${FPO_FAILPOINTS}>:FPO_FAILPOINTS>)
if(FPO_SANITIZE)
  target_compile_options(fpo_options INTERFACE -fsanitize=${FPO_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(fpo_options INTERFACE -fsanitize=${FPO_SANITIZE})
endif()

# fpo_sources(TARGET a.cc ...): sources of this folder in a library that has several folders, as the trainer's have: each batch instantiates
# LibTorch's templates anew (2 s). tests/architecture_test.cc checks what each folder may include.
function(fpo_sources target)
  target_sources(${target} PRIVATE ${ARGN})
endfunction()

# fpo_add(FOLDER): its CMakeLists.txt.
function(fpo_add folder)
  add_subdirectory(${folder})
endfunction()

# fpo_compile(TARGET BATCH DEFAULT): batches when FPO_UNITY is on; BATCH overrides DEFAULT for files that cost more or less than others.
function(fpo_compile target batch default)
  if(NOT batch)
    set(batch ${default})
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${FPO_UNITY} UNITY_BUILD_BATCH_SIZE ${batch})
endfunction()

# fpo_library(NAME SRCS a.cc ... DEPS fpo_common ... [PCH core|edge] [BATCH n]): one layer of the architecture.
function(fpo_library name)
  cmake_parse_arguments(ARG "" "PCH;BATCH" "SRCS;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SRCS})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} fpo_options)
  fpo_compile(${name} "${ARG_BATCH}" ${fpo_program_batch})
  fpo_use_pch(${name} "${ARG_PCH}")
endfunction()

# fpo_relocatable(TARGET): a program or plugin that finds its libraries from where it is: bundled ones, LibTorch beside them, or the LibTorch
# of a Python site-packages folder (cmake/install.cmake). The build folder has links to both in the same places (cmake/torch.cmake, arrow.cmake),
# since CMake would leave room for another RPATH as colons, each of which is the current folder. RPATH, not RUNPATH: it holds for the
# libraries of the libraries too, and another LibTorch in LD_LIBRARY_PATH does not get in.
function(fpo_relocatable target)
  set_target_properties(${target} PROPERTIES BUILD_WITH_INSTALL_RPATH ON
    INSTALL_RPATH "$ORIGIN/../lib:$ORIGIN/../torch/lib:$ORIGIN/../../torch/lib")
  target_link_options(${target} PRIVATE -Wl,--disable-new-dtags)
endfunction()

# fpo_fold(TARGET): one copy of functions with the same code. Makes a program that is carried to a GPU host a fifth smaller.
include(CheckLinkerFlag)
check_linker_flag(CXX -Wl,--icf=all fpo_linker_folds)
function(fpo_fold target)
  if(fpo_linker_folds)
    target_link_options(${target} PRIVATE -Wl,--icf=all)
  endif()
endfunction()

# fpo_program(NAME SRCS main.cc ... DEPS ... [PCH core|edge]): one executable in build/*/bin.
function(fpo_program name)
  cmake_parse_arguments(ARG "" "PCH" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} fpo_options)
  fpo_use_pch(${name} "${ARG_PCH}")
  fpo_relocatable(${name})
endfunction()

# fpo_test_library(NAME SRCS a.cc ... DEPS fpo_x ... [PCH core|edge] [BATCH n]): what several tests share.
function(fpo_test_library name)
  cmake_parse_arguments(ARG "" "PCH;BATCH" "SRCS;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SRCS})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} fpo_options GTest::gmock)
  fpo_compile(${name} "${ARG_BATCH}" ${fpo_test_batch})
  fpo_use_test_pch(${name} "${ARG_PCH}")
endfunction()

# fpo_test(NAME SRCS a_test.cc ... DEPS fpo_x ... LABELS unit [TIMEOUT seconds] [PCH core|edge] [BATCH n]): one test binary per folder.
function(fpo_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT;PCH;BATCH" "SRCS;DEPS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SRCS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} fpo_options GTest::gmock GTest::gtest_main)
  fpo_compile(${name} "${ARG_BATCH}" ${fpo_test_batch})
  fpo_use_test_pch(${name} "${ARG_PCH}")
  add_test(NAME ${name} COMMAND ${name} "--gtest_filter=-$<JOIN:$<TARGET_PROPERTY:${name},FPO_PARTS>,:>")  # all but its parts
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "FPO_SOURCE_DIR=${CMAKE_SOURCE_DIR};FPO_BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
endfunction()

# fpo_test_part(PROGRAM NAME FILTER [TIMEOUT seconds]): the tests of PROGRAM that FILTER matches, as an entry NAME of ctest with the labels and
# environment of PROGRAM's own entry, which then runs the others only. A few large programs compile faster than many small ones.
function(fpo_test_part program name filter)
  cmake_parse_arguments(ARG "" "TIMEOUT" "" ${ARGN})
  get_test_property(${program} LABELS labels)
  get_test_property(${program} ENVIRONMENT environment)
  if(NOT ARG_TIMEOUT)
    get_test_property(${program} TIMEOUT ARG_TIMEOUT)
  endif()
  set_property(TARGET ${program} APPEND PROPERTY FPO_PARTS ${filter})
  add_test(NAME ${name} COMMAND ${program} --gtest_filter=${filter})
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT "${environment}")
endfunction()

# fpo_test_on_processors(NAME [FILTER gtest_filter]): a test program that runs again as NAME.avx2 and NAME.baseline, with the kernels of
# lesser processors (tests/support/on_processor.sh) and the label of that name: its bounds must hold on all of them.
function(fpo_test_on_processors name)
  cmake_parse_arguments(ARG "" "FILTER" "" ${ARGN})
  if(ARG_FILTER)
    set(filter --gtest_filter=${ARG_FILTER})
  endif()
  get_test_property(${name} TIMEOUT timeout)
  get_test_property(${name} ENVIRONMENT environment)
  foreach(processor avx2 baseline)
    add_test(NAME ${name}.${processor} COMMAND ${CMAKE_SOURCE_DIR}/tests/support/on_processor.sh ${processor}
      $<TARGET_FILE:${name}> ${filter})
    set_tests_properties(${name}.${processor} PROPERTIES LABELS ${processor} TIMEOUT ${timeout} ENVIRONMENT "${environment}"
      SKIP_RETURN_CODE 77)
  endforeach()
endfunction()

# fpo_embed(TARGET some_page.html ...): the bytes of files of this folder in a program, as `extern const absl::string_view
# fpo::embedded::kSomePageHtml`. A file that uses one declares it.
function(fpo_embed target)
  foreach(file ${ARGN})
    get_filename_component(base ${file} NAME)
    string(REGEX MATCHALL "[A-Za-z0-9]+" words ${base})
    set(name k)
    foreach(word ${words})
      string(SUBSTRING ${word} 0 1 first)
      string(SUBSTRING ${word} 1 -1 rest)
      string(TOUPPER ${first} first)
      string(APPEND name ${first}${rest})
    endforeach()
    fpo_embed_file(${target} ${CMAKE_CURRENT_SOURCE_DIR}/${file} ${name})
  endforeach()
endfunction()

# fpo_embed_file(TARGET /path/to/file kName): the same for one file from anywhere, under a name of its own.
function(fpo_embed_file target file name)
  set(result ${CMAKE_CURRENT_BINARY_DIR}/embedded/${name}.cc)
  add_custom_command(OUTPUT ${result} VERBATIM
    COMMAND ${CMAKE_COMMAND} -DFILE=${file} -DNAME=${name} -DRESULT=${result} -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${file} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake)
  target_sources(${target} PRIVATE ${result})
endfunction()

# fpo_proto(NAME a.proto ...): message and service code of proto/, included as "proto/fpo/v1/a.pb.h".
function(fpo_proto name)
  set(sources)
  set(headers)
  foreach(proto ${ARGN})
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    set(out ${CMAKE_BINARY_DIR}/proto/${stem})
    add_custom_command(
      OUTPUT ${out}.pb.cc ${out}.pb.h ${out}.grpc.pb.cc ${out}.grpc.pb.h
      COMMAND protobuf::protoc -I${CMAKE_SOURCE_DIR} --cpp_out=${CMAKE_BINARY_DIR}
              --grpc_out=${CMAKE_BINARY_DIR}
              --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>
              ${CMAKE_SOURCE_DIR}/proto/${proto}
      DEPENDS ${CMAKE_SOURCE_DIR}/proto/${proto} VERBATIM)
    list(APPEND sources ${out}.pb.cc ${out}.grpc.pb.cc)
    list(APPEND headers ${out}.grpc.pb.h)
    set_source_files_properties(${out}.pb.cc PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)  # protoc's names clash
  endforeach()
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} SYSTEM PUBLIC ${CMAKE_BINARY_DIR})
  target_link_libraries(${name} PUBLIC gRPC::grpc++ protobuf::libprotobuf fpo_speed)
  target_compile_options(${name} PRIVATE ${fpo_edge_options})
  fpo_compile(${name} "" ${fpo_program_batch})
  set_target_properties(${name} PROPERTIES FPO_HEADERS "${headers}" CXX_CLANG_TIDY "")
endfunction()
