# What `cmake --install BUILD --prefix DIR` puts below DIR, which may then be moved anywhere:
#   component fpo       programs, documentation, examples, deploy/
#   component generated what the programs write: manual pages, completions, the demo's inputs (deploy/package/generate.sh)
#   component libtorch  LibTorch, and the two libraries of CUDA that it needs even without a GPU
#   component arrow     the libraries with which Parquet and Arrow files are read
# The programs are in lib/fpo/bin beside the libraries they open at run time. They find each other and every library from there
# (fpo_relocatable); bin/ has links to them. scripts/package.sh makes packages of it.
include_guard()
set(fpo_programs)
foreach(program fpoctl fpo-coordinator fpo-cache fpo-worker fpo-train)
  if(TARGET ${program})
    list(APPEND fpo_programs ${program})
    install(TARGETS ${program} RUNTIME DESTINATION lib/fpo/bin COMPONENT fpo)
    install(CODE "file(MAKE_DIRECTORY \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/bin\")
file(CREATE_LINK ../lib/fpo/bin/${program} \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/bin/${program}\" SYMBOLIC)" COMPONENT fpo)
  endif()
endforeach()
foreach(plugin fpo_arrow fpo_cuda fpo_nccl)
  if(TARGET ${plugin})
    install(TARGETS ${plugin} LIBRARY DESTINATION lib/fpo/bin COMPONENT fpo)
  endif()
endforeach()

# The libraries themselves, under the names they are loaded by, where the folders of the build machine have links. LibTorch's symbol
# table, of which `--strip` rids it, is 90 MB.
function(fpo_install_libraries component folder destination)
  foreach(name ${ARGN})
    file(REAL_PATH ${folder}/${name} file)
    install(FILES ${file} DESTINATION ${destination} RENAME ${name} COMPONENT ${component})
    install(CODE "if(CMAKE_INSTALL_DO_STRIP)
  execute_process(COMMAND strip --strip-unneeded \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${destination}/${name}\" COMMAND_ERROR_IS_FATAL ANY)
endif()" COMPONENT ${component})
  endforeach()
endfunction()
# Whoever passes a library on passes its licence on; scripts/setup.sh keeps the texts beside the libraries.
function(fpo_install_licences component folder)
  install(CODE "file(GLOB texts \"${folder}/licences/*\")
if(NOT texts)
  message(FATAL_ERROR \"${folder} has no licence texts, without which its libraries must not be passed on: remove it and run scripts/setup.sh\")
endif()
file(INSTALL \${texts} DESTINATION \"\${CMAKE_INSTALL_PREFIX}/share/doc/fpo/licences\")" COMPONENT ${component})
endfunction()
if(FPO_BUILD_TRAINER)
  fpo_install_libraries(libtorch ${FPO_TORCH_DIR}/lib lib/fpo/torch/lib libtorch_cpu.so libc10.so libgomp.so.1 libcudart.so.13 libcupti.so.13)
  fpo_install_licences(libtorch ${FPO_TORCH_DIR})
endif()
if(TARGET fpo_arrow)
  fpo_install_libraries(arrow ${FPO_ARROW_DIR}/lib lib/fpo/lib libarrow.so.2600 libparquet.so.2600)
  fpo_install_licences(arrow ${FPO_ARROW_DIR})
endif()

# share/fpo has the folders of this tree by the same names, so that the demo is the same script here and there.
install(PROGRAMS scripts/demo.sh DESTINATION share/fpo/scripts COMPONENT fpo)
install(FILES scripts/local_services.sh DESTINATION share/fpo/scripts COMPONENT fpo)
install(DIRECTORY examples DESTINATION share/fpo COMPONENT fpo USE_SOURCE_PERMISSIONS PATTERN __pycache__ EXCLUDE)
install(DIRECTORY deploy DESTINATION share/fpo COMPONENT fpo USE_SOURCE_PERMISSIONS PATTERN package EXCLUDE)
install(DIRECTORY docs DESTINATION share/doc/fpo COMPONENT fpo)
install(FILES README.md LICENSE deploy/package/copyright DESTINATION share/doc/fpo COMPONENT fpo)
install(CODE "execute_process(COMMAND \"${CMAKE_SOURCE_DIR}/deploy/package/generate.sh\" \"${CMAKE_RUNTIME_OUTPUT_DIRECTORY}\"
  \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/share\" ${fpo_programs} COMMAND_ERROR_IS_FATAL ANY)" COMPONENT generated)

# Units, accounts and the default configuration name /usr/bin, /etc and /var: only an installation in /usr has them there. The others have
# them to read, in share/fpo/deploy.
if(EXISTS ${CMAKE_SOURCE_DIR}/deploy/systemd)
  file(GLOB units CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/deploy/systemd/*.service)
  file(GLOB accounts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/deploy/systemd/sysusers.d/*.conf)
  file(GLOB configuration CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/deploy/systemd/config/*.toml)
  install(CODE "if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
  file(INSTALL DESTINATION /usr/lib/systemd/system TYPE FILE FILES ${units})
  file(INSTALL DESTINATION /usr/lib/sysusers.d TYPE FILE FILES ${accounts})
  file(INSTALL DESTINATION /etc/fpo TYPE FILE FILES ${configuration})
endif()" COMPONENT fpo)
  list(TRANSFORM configuration REPLACE ".*/" "/etc/fpo/")
  list(JOIN configuration "\n" configuration)
  file(WRITE ${CMAKE_BINARY_DIR}/deb/conffiles "${configuration}\n")  # an upgrade keeps what was changed in them
  set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_BINARY_DIR}/deb/conffiles ${CMAKE_SOURCE_DIR}/deploy/package/postinst
      ${CMAKE_SOURCE_DIR}/deploy/package/prerm)
endif()

# The Debian package, which scripts/package.sh makes: everything in one. Debian's own libraries come from Debian.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME fpo)
set(CPACK_PACKAGE_VENDOR "FPO training service")
set(CPACK_PACKAGE_CONTACT "FPO maintainers <maintainers@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "service that trains language models on preference pairs")
set(CPACK_PACKAGE_DESCRIPTION "fpo-coordinator keeps the jobs, fpo-cache the reference records.
fpo-worker runs jobs on each host with fpo-train, and fpoctl is
their client. LibTorch for CPUs is part of the package; a GPU host
takes the Python wheel.")
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)  # xz takes minutes for LibTorch
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${FPO_TORCH_DIR}/lib ${FPO_ARROW_DIR}/lib)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates, python3-jinja2")  # judges by HTTPS; chat templates other than Gemma's
set(CPACK_DEBIAN_PACKAGE_SUGGESTS prometheus)
include(CPack)
