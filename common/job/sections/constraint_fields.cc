#include "common/job/sections/constraint_fields.h"

namespace fpo {

JobEntry ConstraintEntry(ConstraintSection* s) {
  return {
      JobEntry::Kind::kSection,
      "constraint",
      "what a run promises about the divergence from the reference",
      {{"budget",
        &s->budget,
        "fpo, tdpo2, simpo_kl: mean divergence to hold; alpha is found, not given",
        {},
        1e-12,
        1e12},
       {"sets", &s->sets,
        "fpo: features that must not move on data.eval: a list of {name, features, max_change}"},
       {"on_broken",
        &s->on_broken,
        "when a set has moved at the end; refuse: model/ is not written",
        {"refuse", "warn"}}}};
}

std::vector<JobField> FeatureSetFields(FeatureSetSection* s) {
  return {{"name", &s->name, "[a-z0-9_-], at most 63 characters"},
          {"features", &s->features, "their indices in the SAE", {}, 0, (1 << 30) - 1},
          {"features_file", &s->features_file, "instead: a file with one index a line"},
          {"sae", &s->sae, "which SAE of the list, from 0", {}, 0, 4096},
          {"max_change", &s->max_change, "what the set may move, in `unit`", {}, 0, 1e12},
          {"unit",
           &s->unit,
           "relative: of the set's activation under the reference",
           {"relative", "absolute"}},
          {"side", &s->side, "responses to look at", {"both", "chosen", "rejected"}}};
}

}  // namespace fpo
