#pragma once

#include <string>
#include <vector>

#include "common/features/feature_report.h"
#include "ctl/show/text_layout.h"

namespace fpo::ctl {

struct FeatureTableOptions {
  size_t rows = 10;  // features of each side
  size_t spans = 1;  // texts of each
};

// The features that moved most on each side, their texts, and how well the SAEs fit; of several
// reports side by side, under their jobs' names. `shared`: as SharedSaes says.
std::string RenderFeatures(const std::vector<FeatureReport>& reports,
                           const std::vector<size_t>& shared, const FeatureTableOptions& options,
                           const TextStyle& style);

}  // namespace fpo::ctl
