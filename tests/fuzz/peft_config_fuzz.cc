// An adapter_config.json. What is accepted scales every module by a finite number above 0.

#include <cmath>

#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"
#include "train/formats/peft_config.h"

FUZZ_TARGET(peft_config) {
  const auto config = fpo::train::ParsePeftConfig(fpo::fuzz::Text(data, size), "folder");
  if (!config.ok()) {
    FUZZ_CHECK(!config.status().message().empty());
    return 0;
  }
  for (const char* module : {"model.layers.0.self_attn.q_proj", "", "."}) {
    FUZZ_CHECK(config->RankOf(module) > 0);
    const double scale = config->ScaleOf(module);
    FUZZ_CHECK(scale > 0 && std::isfinite(scale));
  }
  (void)fpo::train::OnlyMergeable(*config);
  return 0;
}
