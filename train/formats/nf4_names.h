#pragma once

#include <set>
#include <string>
#include <vector>

namespace fpo::train {

// Beside each weight X that bitsandbytes packed in NF4 a folder has X.absmax, X.quant_map,
// X.nested_absmax, X.nested_quant_map and this, which is JSON.
inline constexpr char kNf4State[] = ".quant_state.bitsandbytes__nf4";

struct Nf4Names {
  std::vector<std::string> tensors;  // without those parts, in the order given
  std::set<std::string> packed;      // of these, the weights in NF4
};
Nf4Names SplitNf4Names(const std::vector<std::string>& names);

}  // namespace fpo::train
