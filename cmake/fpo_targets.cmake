# The three ways this project makes targets. Dependencies are PUBLIC because headers of a layer name types of the layer below it.
include_guard()

add_library(fpo_options INTERFACE)
target_include_directories(fpo_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
target_compile_options(fpo_options INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
  $<$<BOOL:${FPO_WERROR}>:-Werror>)
if(FPO_SANITIZE)
  target_compile_options(fpo_options INTERFACE -fsanitize=${FPO_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(fpo_options INTERFACE -fsanitize=${FPO_SANITIZE})
endif()

# fpo_add(FOLDER): a folder that has a CMakeLists.txt.
function(fpo_add folder)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/CMakeLists.txt)
    add_subdirectory(${folder})
  endif()
endfunction()

# fpo_library(NAME SRCS a.cc ... DEPS fpo_common ...): one layer of the architecture.
function(fpo_library name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SRCS})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} fpo_options)
endfunction()

# fpo_program(NAME SRCS main.cc ... DEPS ...): one executable in build/*/bin.
function(fpo_program name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} fpo_options)
endfunction()

# fpo_test(NAME SRCS a_test.cc ... DEPS fpo_x ... LABELS unit [TIMEOUT seconds]): one test binary per folder.
function(fpo_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SRCS;DEPS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SRCS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} fpo_options GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "FPO_SOURCE_DIR=${CMAKE_SOURCE_DIR};FPO_BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
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

# fpo_proto(NAME a.proto ...): message and service code of proto/, included as "proto/fpo/v1/a.pb.h".
function(fpo_proto name)
  set(sources)
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
  endforeach()
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} SYSTEM PUBLIC ${CMAKE_BINARY_DIR})
  target_link_libraries(${name} PUBLIC gRPC::grpc++ protobuf::libprotobuf)
endfunction()
