#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fpo {

// Trains low-rank matrices beside frozen weights in place of the weights.
struct AdapterSection {
  std::string kind = "none";  // none | lora
  int64_t rank = 16;
  double alpha = 32;  // the product is scaled by alpha / rank
  std::vector<std::string> targets = {"all-linear"};
  double dropout = 0;
  std::string path;  // folder of an adapter in PEFT's form to go on from; empty: a new one

  bool on() const { return kind != "none"; }
};

}  // namespace fpo
