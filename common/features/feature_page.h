#pragma once

#include <string>
#include <vector>

#include "common/features/feature_report.h"

namespace fpo {

// Feature reports for people: a table to sort, filter and search, the texts of each feature, the
// SAEs' fit; several reports side by side, whose shared SAEs are shown (SharedSaes).
// Self-contained: no request leaves the page. Texts of the data are never markup.

// A whole page.
std::string FeaturePage(const std::vector<FeatureReport>& reports);

// A part of another page: its style, a <section> and its script. One for each page.
std::string FeaturePart(const std::vector<FeatureReport>& reports);

}  // namespace fpo
