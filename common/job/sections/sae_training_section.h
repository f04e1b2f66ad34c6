#pragma once

#include <cstdint>
#include <string>

namespace fpo {

// kind: sae trains a JumpReLU SAE on model activations at sae[0].layer and sae[0].site.
struct SaeTrainingSection {
  int64_t width = 1024;
  double target_l0 = 32;  // target of active features per token
  double lr = 1e-3;
  int64_t steps = 1000;
  int64_t batch_tokens = 1024;
};

}  // namespace fpo
