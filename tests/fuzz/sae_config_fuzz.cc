// The JSON beside an SAE, of each library.

#include <cstdint>

#include "common/inputs/other_sae_configs.h"
#include "common/inputs/sae_config.h"
#include "common/inputs/sae_lens_config.h"
#include "common/inputs/scope_configs.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"

namespace {

void CheckDescription(const absl::StatusOr<fpo::SaeDescription>& sae) {
  if (!sae.ok()) return;
  FUZZ_CHECK(sae->top_k >= 0);
  FUZZ_CHECK(sae->d_in.value_or(1) > 0 && sae->d_sae.value_or(1) > 0);
  FUZZ_CHECK(sae->site.empty() || !fpo::HookName(0, sae->site).empty());
}

}  // namespace

FUZZ_TARGET(sae_config) {
  const auto text = fpo::fuzz::Text(data, size);
  CheckDescription(fpo::ParseSaeLensConfig(text, "cfg.json"));
  CheckDescription(fpo::ParseSaeConfig(text, "config.json"));
  CheckDescription(fpo::ParseLlamaScopeConfig(text, "hyperparams.json"));
  CheckDescription(fpo::ParseSparsifyConfig(text, "layers.1/cfg.json"));
  CheckDescription(fpo::ParseDictionaryLearningConfig(text, "config.json"));
  const auto factor = fpo::ParseActivationScaler(text, "activation_scaler.json");
  FUZZ_CHECK(!factor.ok() || factor->value_or(1) > 0);
  fpo::SaeDescription hook;
  if (fpo::ParseHook(text, &hook).ok()) FUZZ_CHECK(hook.layer.value_or(-1) >= 0);
  return 0;
}
