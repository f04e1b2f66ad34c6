#include "train/data/mismatched_responses.h"

#include <algorithm>
#include <iterator>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace fpo::train {
namespace {

using Indices = std::vector<int64_t>;

bool HasTwoPrompts(const Indices& examples, const Indices& prompts) {
  return std::any_of(examples.begin(), examples.end(), [&](int64_t example) {
    return prompts[static_cast<size_t>(example)] != prompts[static_cast<size_t>(examples[0])];
  });
}

// The longest run of one prompt, of examples that are a ring.
size_t LongestRun(const Indices& ring, const Indices& prompts) {
  const auto prompt = [&](size_t i) { return prompts[static_cast<size_t>(ring[i % ring.size()])]; };
  size_t longest = 0, run = 0;
  for (size_t i = 0; i < 2 * ring.size(); ++i) {
    run = i > 0 && prompt(i) == prompt(i - 1) ? run + 1 : 1;
    longest = std::max(longest, run);
  }
  return longest;
}

// Fills in `others` of the examples of `ring`, which has two prompts.
void Rotate(const Indices& ring, const Indices& prompts, Indices* others) {
  const auto at = [&](const Indices& values, int64_t i) { return values[static_cast<size_t>(i)]; };
  const size_t step = LongestRun(ring, prompts);
  for (size_t i = 0; i < ring.size(); ++i) {
    size_t from = i + 2 * ring.size() - step;
    while (at(prompts, ring[from % ring.size()]) == at(prompts, ring[i])) --from;
    (*others)[static_cast<size_t>(ring[i])] = ring[from % ring.size()];
  }
}

}  // namespace

absl::StatusOr<Indices> MismatchedExamples(const Indices& prompts,
                                           const std::vector<uint8_t>& labels) {
  Indices all(prompts.size());
  std::iota(all.begin(), all.end(), 0);
  Indices others(prompts.size());
  if (all.empty()) return others;
  if (!HasTwoPrompts(all, prompts)) {
    return absl::InvalidArgumentError(
        absl::StrCat("kto estimates the KL from responses to other prompts, and all ", all.size(),
                     " examples have the same prompt"));
  }
  Rotate(all, prompts, &others);
  for (const uint8_t label : {0, 1}) {
    Indices ring;
    std::copy_if(all.begin(), all.end(), std::back_inserter(ring),
                 [&](int64_t i) { return labels[static_cast<size_t>(i)] == label; });
    if (!ring.empty() && HasTwoPrompts(ring, prompts)) Rotate(ring, prompts, &others);
  }
  return others;
}

}  // namespace fpo::train
