#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fpo {

// Trains low-rank matrices beside frozen weights in place of the weights.
struct AdapterSection {
  std::string kind = "none";  // none | lora | qlora
  int64_t rank = 16;
  double alpha = 32;  // the product is scaled by alpha / rank
  std::vector<std::string> targets = {"all-linear"};
  double dropout = 0;
  std::string path;  // folder of an adapter in PEFT's form to go on from; empty: a new one

  bool double_quantization = true;  // of kind qlora

  bool on() const { return kind != "none"; }
  // How the frozen projections are kept: nf4 | nf4-double, or empty: as model.dtype says.
  std::string packing() const {
    if (kind != "qlora") return "";
    return double_quantization ? "nf4-double" : "nf4";
  }
};

}  // namespace fpo
