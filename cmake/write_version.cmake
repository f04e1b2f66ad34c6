# cmake -DSOURCE= -DTEMPLATE= -DRESULT= -DFPO_VERSION= -P write_version.cmake: run by each build; touches RESULT only when it changes.
execute_process(COMMAND git -C ${SOURCE} rev-parse --short HEAD
  OUTPUT_VARIABLE FPO_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
configure_file(${TEMPLATE} ${RESULT} @ONLY)
