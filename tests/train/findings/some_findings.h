#pragma once

#include "train/findings/findings.h"

namespace fpo::train {

inline constexpr char kHostile[] =
    "</script><script>alert(1)</script>\x1b[31m\nline\u202Etwo <!-- \"'";

inline Findings SomeFindings() {
  Findings findings;
  findings.job = "tiny </title>";
  findings.train_pairs = 300;
  findings.eval_pairs = 20;
  findings.labels.emplace();
  findings.labels->right = {0.02};
  findings.labels->agreement = 0.8;
  findings.labels->flipped = 15;
  findings.labels->found_in_first_tenth = 0.6;
  const ShownPair pair{false, 4, 7, "row \x1b]0;x", kHostile, kHostile, "no\x7f"};
  findings.suspects = {{pair, 0.02, -1.25, 10, 12}};
  FeatureFinding feature;
  feature.name = "feature 812";
  feature.test.effect_at_equal_length = 0.5;
  feature.spans = {{pair, true, 3.5, "before ", kHostile, " after"}};
  findings.features = {feature};
  findings.features_tested = 100;
  findings.features_separating = 9;
  findings.near = {{pair, pair, 0.9, true}};
  findings.shared.pairs = 2;
  findings.warnings = {"look <here>"};
  return findings;
}

}  // namespace fpo::train
