# FPO_SYNTAX_ONLY: the compiler's launcher (syntax_only.sh) makes empty objects, so archives and programs are empty files too. Nothing
# it builds can run; a build only shows whether every source compiles.
include_guard()
if(FPO_SYNTAX_ONLY)
  foreach(rule LINK_EXECUTABLE CREATE_SHARED_LIBRARY CREATE_SHARED_MODULE ARCHIVE_CREATE ARCHIVE_APPEND ARCHIVE_FINISH)
    set(CMAKE_CXX_${rule} "${CMAKE_COMMAND} -E touch <TARGET>")
  endforeach()
endif()
