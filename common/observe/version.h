#pragma once

namespace fpo {

// "0.1.0": the version of all five programs.
const char* ProgramVersion();

// The short name of the commit that the program was built from; "" outside a git checkout.
const char* BuildCommit();

}  // namespace fpo
