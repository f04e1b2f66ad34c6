#include "train/formats/nf4_names.h"

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace fpo::train {
namespace {

constexpr absl::string_view kNf4Parts[] = {".absmax", ".quant_map", ".nested_absmax",
                                           ".nested_quant_map", kNf4State};

bool IsPartOf(const std::set<std::string>& packed, absl::string_view name) {
  for (const absl::string_view part : kNf4Parts) {
    absl::string_view weight = name;
    if (absl::ConsumeSuffix(&weight, part) && packed.contains(std::string(weight))) return true;
  }
  return false;
}

}  // namespace

Nf4Names SplitNf4Names(const std::vector<std::string>& names) {
  Nf4Names split;
  for (const std::string& name : names) {
    absl::string_view weight = name;
    if (absl::ConsumeSuffix(&weight, kNf4State)) split.packed.emplace(weight);
  }
  for (const std::string& name : names) {
    if (!IsPartOf(split.packed, name)) split.tensors.push_back(name);
  }
  return split;
}

}  // namespace fpo::train
