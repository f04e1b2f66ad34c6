#include "train/objective/feature_contract.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

size_t SizeOf(const FeatureContract& contract) {
  return 2 * static_cast<size_t>(contract.features.numel()) + 1;
}

// The responses of the sides that count.
at::Tensor CountingRows(const FeatureContract& contract, const at::Tensor& pooled) {
  const int64_t half = pooled.size(0) / 2;
  const int64_t first = contract.chosen ? 0 : half;
  return pooled.narrow(0, first, contract.chosen && contract.rejected ? 2 * half : half);
}

// Not the line itself: whoever names a file need not be one who may read it.
absl::StatusOr<std::vector<int64_t>> ReadFeatureList(const std::string& path) {
  constexpr int64_t kBytesMax = int64_t{16} << 20;
  const auto text = ReadFile(path, kBytesMax);
  if (!text.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("constraint.sets: ", text.status().message()));
  }
  std::vector<int64_t> features;
  absl::flat_hash_set<int64_t> seen;
  int64_t number = 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    int64_t feature = -1;
    if (!absl::SimpleAtoi(line, &feature) || feature < 0) {
      return absl::InvalidArgumentError(absl::StrCat(path, ":", number, ": this line of ",
                                                     line.size(), " characters is no feature"));
    }
    if (!seen.insert(feature).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", number, ": feature ", feature, " is there twice"));
    }
    features.push_back(feature);
  }
  if (!features.empty()) return features;
  return absl::InvalidArgumentError(absl::StrCat(path, ": holds no feature"));
}

std::string DescribeChange(const ContractResult& result) {
  return absl::StrFormat("%s has moved by %.3g%s, and may by %g", result.name, result.change,
                         result.relative ? " of its activation under the reference" : "",
                         result.max_change);
}

}  // namespace

absl::StatusOr<std::vector<FeatureContract>> MakeContracts(const ConstraintSection& section,
                                                           const std::vector<int64_t>& widths,
                                                           at::Device device) {
  std::vector<FeatureContract> contracts;
  for (const FeatureSetSection& set : section.sets) {
    const auto sae = static_cast<size_t>(set.sae);
    const int64_t width = sae < widths.size() ? widths[sae] : 0;
    std::vector<int64_t> features = set.features;
    if (!set.features_file.empty()) {
      FPO_ASSIGN_OR_RETURN(features, ReadFeatureList(set.features_file));
    }
    const auto largest = std::max_element(features.begin(), features.end());
    if (largest != features.end() && *largest >= width) {
      return absl::InvalidArgumentError(absl::StrCat("constraint.sets: ", set.name,
                                                     " names feature ", *largest, "; SAE ", set.sae,
                                                     " has ", width));
    }
    FeatureContract contract;
    contract.name = set.name;
    contract.sae = sae;
    contract.features = at::tensor(features, at::kLong).to(device);
    contract.max_change = set.max_change.value_or(0);
    contract.relative = set.unit == "relative";
    contract.chosen = set.side != "rejected";
    contract.rejected = set.side != "chosen";
    contracts.push_back(std::move(contract));
  }
  return contracts;
}

ContractSums::ContractSums(const std::vector<FeatureContract>& contracts) {
  size_t size = 0;
  for (const FeatureContract& contract : contracts) size += SizeOf(contract);
  packed_.resize(size, 0.0);
}

void ContractSums::Set(const std::vector<FeatureContract>& contracts, const Pooled& pooled,
                       HostValues* host) {
  double* own = packed_.data();
  for (const FeatureContract& contract : contracts) {
    if (contract.sae == pooled.sae) {
      const auto sum = [&](const at::Tensor& features, double* out) {
        const at::Tensor rows = CountingRows(contract, features);
        host->Add(rows.index_select(1, contract.features).to(at::kDouble).sum(0), out);
      };
      const int64_t count = contract.features.numel();
      sum(pooled.policy, own);
      sum(pooled.reference, own + count);
      own[2 * count] = static_cast<double>(CountingRows(contract, pooled.policy).size(0));
    }
    own += SizeOf(contract);
  }
}

ContractSums& ContractSums::operator+=(const ContractSums& other) {
  if (packed_.empty()) packed_.resize(other.packed_.size(), 0.0);
  for (size_t i = 0; i < other.packed_.size(); ++i) packed_[i] += other.packed_[i];
  return *this;
}

absl::StatusOr<std::vector<ContractResult>> ContractSums::Results(
    const std::vector<FeatureContract>& contracts) const {
  std::vector<ContractResult> results;
  const double* own = packed_.data();
  for (const FeatureContract& contract : contracts) {
    const int64_t count = contract.features.numel();
    const double responses = own[2 * count];
    double moved = 0, activation = 0;
    for (int64_t i = 0; i < count; ++i) {
      moved += std::abs(own[i] - own[count + i]) / responses;
      activation += std::abs(own[count + i]) / responses;
    }
    own += SizeOf(contract);
    if (contract.relative && activation == 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "constraint.sets: the reference activates no feature of ", contract.name, " in the ",
          responses, " evaluation responses, so there is no relative change; use unit: absolute, ",
          "more evaluate.pairs, or features that the data has"));
    }
    results.push_back({contract.name, contract.relative ? moved / activation : moved,
                       contract.max_change, contract.relative});
  }
  return results;
}

std::vector<std::string> DescribeBroken(const std::vector<ContractResult>& results, int64_t step) {
  std::vector<std::string> broken;
  for (const ContractResult& result : results) {
    if (!result.broken()) continue;
    broken.push_back(
        absl::StrCat("a contract is broken at step ", step, ": ", DescribeChange(result)));
  }
  return broken;
}

bool RefusesToPublish(const ConstraintSection& section,
                      const std::vector<ContractResult>& results) {
  return section.on_broken == "refuse" &&
         std::any_of(results.begin(), results.end(),
                     [](const ContractResult& result) { return result.broken(); });
}

absl::Status UnpublishedError(const std::vector<ContractResult>& results, int64_t step,
                              const std::string& checkpoint) {
  return FailWith(
      ExitCode::kContract,
      absl::StrCat(absl::StrJoin(DescribeBroken(results, step), "; "),
                   "; model/ is not written. To look at the model: fpo-train export ", checkpoint,
                   " --out DIR; to publish it all the same: constraint.on_broken: warn, and run "
                   "again with --resume"));
}

}  // namespace fpo::train
