// A tokenizer.json.

#include <cstdint>

#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"
#include "tests/fuzz/tokenizer_check.h"

FUZZ_TARGET(tokenizer_json) {
  fpo::fuzz::CheckTokenizer(fpo::fuzz::WriteInput("tokenizer.json", fpo::fuzz::Text(data, size)));
  return 0;
}
