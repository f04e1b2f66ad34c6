# Apache Arrow from the cache folder that scripts/setup.sh fills, out of the pyarrow wheel. Optional: without it Parquet is not read.
# Only libfpo_arrow.so links it.
include_guard()
set(FPO_ARROW_DIR ${fpo_deps_default}/arrow-26.0.1 CACHE PATH "Folder of Apache Arrow with include/ and lib/")
if(NOT EXISTS ${FPO_ARROW_DIR}/lib/libparquet.so.2600)
  message(STATUS "Apache Arrow is not in ${FPO_ARROW_DIR}: Parquet and Arrow files will not be read. scripts/setup.sh fetches it.")
  return()
endif()
add_library(fpo_arrow_files INTERFACE)
target_include_directories(fpo_arrow_files SYSTEM INTERFACE ${FPO_ARROW_DIR}/include)
target_link_options(fpo_arrow_files INTERFACE -Wl,-rpath-link,${FPO_ARROW_DIR}/lib)
target_link_libraries(fpo_arrow_files INTERFACE ${FPO_ARROW_DIR}/lib/libparquet.so.2600 ${FPO_ARROW_DIR}/lib/libarrow.so.2600)
file(CREATE_LINK ${FPO_ARROW_DIR}/lib ${CMAKE_BINARY_DIR}/lib SYMBOLIC)  # where bin/libfpo_arrow.so looks for them (fpo_relocatable)
