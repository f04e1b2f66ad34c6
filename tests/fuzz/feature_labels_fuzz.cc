// Labels of features as Neuronpedia exports them.

#include <cstdint>

#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"
#include "train/features/feature_labels.h"

FUZZ_TARGET(feature_labels) {
  const fpo::train::LabelledSae sae = {20, "resid_post", 16384};
  const auto path = fpo::fuzz::WriteInput("labels.jsonl", fpo::fuzz::Text(data, size));
  const auto labels = fpo::train::ReadFeatureLabels(path, sae, {0, 7, 12345});
  if (!labels.ok()) return 0;
  FUZZ_CHECK(labels->lines > 0);
  for (const auto& [index, text] : labels->texts) {
    FUZZ_CHECK(index == 0 || index == 7 || index == 12345);
    FUZZ_CHECK(!text.empty() && text.size() < 400);
  }
  return 0;
}
