#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fpo::train {

// The SAE that labels must belong to.
struct LabelledSae {
  int64_t layer = 0;
  std::string site;  // resid_post | mlp_out | attn_z
  int64_t features = 0;
};

struct FeatureLabels {
  std::map<int64_t, std::string> texts;  // of the wanted features that have one
  int64_t lines = 0;
  std::vector<std::string> warnings;  // for the user
};

// Reads Neuronpedia's export of explanations: lines {"index": "12345", "description": "...",
// "layer": "20-gemmascope-res-16k", ...} in .jsonl or .jsonl.gz, a file or a folder of batches. Of
// several explanations of a feature the first counts. InvalidArgument names file, line and why: a
// line of another form, an index beyond the SAE's features, or a "layer" that is another layer,
// site or width than the SAE's. What cannot be checked is a warning. NotFound; DataLoss for a
// damaged .gz.
absl::StatusOr<FeatureLabels> ReadFeatureLabels(const std::string& path, const LabelledSae& sae,
                                                const std::set<int64_t>& wanted);

// What is wrong with labels whose lines say this `layer`, for this SAE; "": nothing. *known:
// whether the words say all three of layer, site and width.
std::string LabelMismatch(const std::string& layer, const LabelledSae& sae, bool* known);

}  // namespace fpo::train
