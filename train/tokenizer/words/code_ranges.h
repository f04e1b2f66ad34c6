#pragma once

#include <cstdint>

namespace fpo::train {

// Properties of code points as \p{L}, \p{N} and \s of the `tokenizers` library 0.23 have them:
// one table for every machine, whatever its libraries know.
bool IsLetter(int32_t code);
bool IsNumber(int32_t code);
bool IsWhiteSpace(int32_t code);

}  // namespace fpo::train
