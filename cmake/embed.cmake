# cmake -DFILE= -DNAME= -DRESULT= -P embed.cmake: writes a .cc that holds FILE's bytes as fpo::embedded::NAME.
file(READ ${FILE} bytes HEX)
string(LENGTH "${bytes}" digits)
math(EXPR size "${digits} / 2")
string(REPEAT "[0-9a-f]" 28 row)
string(REGEX REPLACE "(${row})" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
file(WRITE ${RESULT} "#include \"absl/strings/string_view.h\"

namespace fpo::embedded {

extern const absl::string_view ${NAME};
static const char ${NAME}Bytes[] = {
${bytes}};
const absl::string_view ${NAME}(${NAME}Bytes, ${size});

}  // namespace fpo::embedded
")
