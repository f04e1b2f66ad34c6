#include "train/objective/feature_weights.h"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

// Sets one entry; returns what is wrong with the line, or "".
std::string SetWeight(absl::string_view line, std::vector<float>* weights,
                      std::vector<bool>* given) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(line, absl::ByAnyChar(" \t,"), absl::SkipEmpty());
  uint64_t index;
  float weight;
  if (words.size() != 2 || !absl::SimpleAtoi(words[0], &index) ||
      !absl::SimpleAtof(words[1], &weight)) {
    // Not the line: whoever names a file need not be one who may read it.
    return absl::StrCat("this line of ", line.size(), " characters is not \"index weight\"");
  }
  if (index >= weights->size()) {
    return absl::StrCat("feature ", index, " does not exist; the SAE has features 0-",
                        weights->size() - 1);
  }
  if ((*given)[index]) return absl::StrCat("feature ", index, " is given twice");
  if (!std::isfinite(weight) || weight < 0) {
    return absl::StrCat("the weight of feature ", index, " must be 0 or more");
  }
  (*weights)[index] = weight;
  (*given)[index] = true;
  return "";
}

}  // namespace

absl::StatusOr<at::Tensor> ReadFeatureWeights(const std::string& path, int64_t features) {
  const auto text = ReadFile(path);
  if (!text.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("method.feature_weights: ", text.status().message()));
  }
  std::vector<float> weights(features, 1.0f);
  std::vector<bool> given(features, false);
  int64_t number = 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    const std::string problem = SetWeight(line, &weights, &given);
    if (!problem.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ":", number, ": ", problem));
    }
  }
  return at::tensor(weights);
}

}  // namespace fpo::train
