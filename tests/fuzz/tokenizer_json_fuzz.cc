// A tokenizer.json.

#include <cstdint>

#include "tests/fuzz/input_file.h"
#include "tests/fuzz/tokenizer_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fpo::fuzz::CheckTokenizer(fpo::fuzz::WriteInput("tokenizer.json", fpo::fuzz::Text(data, size)));
  return 0;
}
