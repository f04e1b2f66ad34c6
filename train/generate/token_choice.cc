#include "train/generate/token_choice.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "train/decode/cpu_kernels.h"

namespace fpo::train {
namespace {

constexpr size_t kFirstSorted = 256;

struct Candidate {
  int32_t id;
  float logit;
  double weight;  // relative to the most likely token's
};

bool IsBetter(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

// The k-th largest logit.
float LeastOfTop(absl::Span<const float> logits, int64_t k) {
  std::vector<float> values(logits.begin(), logits.end());
  const auto least = values.begin() + (k - 1);
  std::nth_element(values.begin(), least, values.end(), std::greater<float>());
  return *least;
}

double TotalWeight(const std::vector<Candidate>& candidates) {
  double total = 0;
  for (const Candidate& candidate : candidates) total += candidate.weight;
  return total;
}

// Leaves the fewest candidates that have `top_p` of the weight together, the best first.
void KeepTopP(double top_p, std::vector<Candidate>* candidates) {
  const double wanted = top_p * TotalWeight(*candidates);
  double sum = 0;
  size_t count = 0, sorted = 0;
  while (count < candidates->size() && (count == 0 || sum < wanted)) {
    if (count == sorted) {  // few suffice as a rule: they are sorted in growing parts
      sorted = std::min(std::max(sorted * 8, kFirstSorted), candidates->size());
      const auto begin = candidates->begin();
      std::partial_sort(begin + static_cast<int64_t>(count), begin + static_cast<int64_t>(sorted),
                        candidates->end(), IsBetter);
    }
    sum += (*candidates)[count++].weight;
  }
  candidates->resize(count);
}

}  // namespace

std::optional<int32_t> ChooseToken(absl::Span<const float> logits, const Sampling& sampling,
                                   AnswerRandom* random) {
  const auto size = static_cast<int64_t>(logits.size());
  const int64_t best = ArgMax(logits.data(), size);
  if (best < 0) return std::nullopt;
  if (sampling.temperature <= 0) return static_cast<int32_t>(best);
  const bool some = sampling.top_k > 0 && sampling.top_k < size;
  const float least =
      some ? LeastOfTop(logits, sampling.top_k) : -std::numeric_limits<float>::infinity();
  const double most = logits[static_cast<size_t>(best)];
  std::vector<Candidate> candidates;
  for (int64_t i = 0; i < size; ++i) {
    const float logit = logits[static_cast<size_t>(i)];
    if (logit < least) continue;
    candidates.push_back(
        {static_cast<int32_t>(i), logit, std::exp((logit - most) / sampling.temperature)});
  }
  if (sampling.top_p < 1) KeepTopP(sampling.top_p, &candidates);
  const double wanted = random->Next() * TotalWeight(candidates);
  double sum = 0;
  for (const Candidate& candidate : candidates) {
    sum += candidate.weight;
    if (wanted < sum) return candidate.id;
  }
  return candidates.back().id;
}

}  // namespace fpo::train
