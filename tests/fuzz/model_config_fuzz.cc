// A model's config.json. What is accepted describes tensors of sizes that can be multiplied.

#include <cstdint>

#include "common/inputs/model_kind.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"
#include "train/model/gemma_config.h"

FUZZ_TARGET(model_config) {
  const auto text = fpo::fuzz::Text(data, size);
  (void)fpo::QuantisationName(text);
  const auto config = fpo::train::ParseGemmaConfig(text);
  if (!config.ok()) {
    FUZZ_CHECK(!config.status().message().empty());
    return 0;
  }
  FUZZ_CHECK(static_cast<int64_t>(config->sliding.size()) == config->layers);
  FUZZ_CHECK(config->heads % config->kv_heads == 0 && config->head_dim % 2 == 0);
  FUZZ_CHECK(config->rope_theta_global > 0 && config->rope_theta_local > 0);
  FUZZ_CHECK(!fpo::train::ConfigText(*config).empty());
  if (config->layers <= 64) FUZZ_CHECK(fpo::train::ParameterCount(*config) > 0);
  return 0;
}
