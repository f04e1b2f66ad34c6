#include "train/findings/find_copies.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "train/statistics/disjoint_sets.h"
#include "train/statistics/near_duplicates.h"

namespace fpo::train {
namespace {

constexpr double kNearThreshold = 0.8;
constexpr size_t kCopiesShown = 20;

// Training pairs, then evaluation pairs, by one number.
struct AllPairs {
  const TokenFile& train;
  const TokenFile& eval;

  int64_t size() const { return train.size() + eval.size(); }
  bool IsEval(int64_t i) const { return i >= train.size(); }
  int64_t IndexOf(int64_t i) const { return IsEval(i) ? i - train.size() : i; }
  TokenPairView At(int64_t i) const { return (IsEval(i) ? eval : train).pair(IndexOf(i)); }
};

Shingles ShinglesOfTexts(std::initializer_list<absl::Span<const int32_t>> parts) {
  std::vector<int32_t> ids;
  for (const auto& part : parts) ids.insert(ids.end(), part.begin(), part.end());
  Shingles shingles;
  AddShingles(ids, &shingles);
  FinishShingles(&shingles);
  return shingles;
}

// Of the prompt with either response: alike when the sides are swapped.
Shingles ShinglesOfPair(const TokenPairView& pair) {
  Shingles both = ShinglesOfTexts({pair.prompt, pair.chosen});
  const Shingles other = ShinglesOfTexts({pair.prompt, pair.rejected});
  both.insert(both.end(), other.begin(), other.end());
  FinishShingles(&both);
  return both;
}

bool AreOpposite(const TokenPairView& a, const TokenPairView& b) {
  const Shingles a_chosen = ShinglesOfTexts({a.chosen}), a_rejected = ShinglesOfTexts({a.rejected});
  const Shingles b_chosen = ShinglesOfTexts({b.chosen}), b_rejected = ShinglesOfTexts({b.rejected});
  return Jaccard(a_chosen, b_rejected) + Jaccard(a_rejected, b_chosen) >
         Jaccard(a_chosen, b_chosen) + Jaccard(a_rejected, b_rejected);
}

// Two pairs, and whether one chooses what the other rejects.
struct Likeness {
  NearPair pair;
  bool is_opposite = false;
};

class CopySearch {
 public:
  CopySearch(const AllPairs& pairs, const PairTexts& texts, Findings* findings)
      : pairs_(pairs),
        texts_(texts),
        findings_(*findings),
        trained_(IdentitiesOf(pairs.train)),
        evaluated_(IdentitiesOf(pairs.eval)) {}

  void FindSame() {
    findings_.repeated = FindRepeatedPairs(trained_);
    findings_.shared = FindSharedPairs(trained_, evaluated_);
    std::vector<Likeness> contradictions, copies;
    for (const SharedPairs::Example& example : findings_.repeated.examples) {
      contradictions.push_back({{example.train, example.eval, 1}, true});
    }
    for (const SharedPairs::Example& example : findings_.shared.examples) {
      const int64_t second = pairs_.train.size() + example.eval;
      const bool is_opposite = Identity(example.train).is_swapped != Identity(second).is_swapped;
      copies.push_back({{example.train, second, 1}, is_opposite});
    }
    findings_.contradictions = Show(std::move(contradictions));
    findings_.copies = Show(std::move(copies));
  }

  // Copies are counted as such, and what is repeated within the evaluation data not at all.
  void FindLike() {
    near_ = FindNearDuplicates({pairs_.size(), pairs_.train.size(), kNearThreshold},
                               [this](int64_t i) { return ShinglesOfPair(pairs_.At(i)); });
    absl::flat_hash_map<Digest, int64_t> first_of_pair;  // among training pairs
    for (int64_t i = 0; i < pairs_.train.size(); ++i) {
      first_of_pair.try_emplace(Identity(i).pair, i);
    }
    std::vector<Likeness> alike, leaks;
    for (const NearPair& pair : near_.pairs) {
      const auto copy = first_of_pair.find(Identity(pair.second).pair);
      const bool is_copy = copy != first_of_pair.end() && copy->second < pair.second;
      if (is_copy || pairs_.IsEval(pair.first)) continue;
      const bool is_opposite = AreOpposite(pairs_.At(pair.first), pairs_.At(pair.second));
      (pairs_.IsEval(pair.second) ? leaks : alike).push_back({pair, is_opposite});
    }
    findings_.near_threshold = kNearThreshold;
    findings_.near_leaks = static_cast<int64_t>(leaks.size());
    findings_.near_pairs = static_cast<int64_t>(alike.size());
    findings_.near_opposite = std::count_if(alike.begin(), alike.end(),
                                            [](const Likeness& like) { return like.is_opposite; });
    findings_.near = Show(std::move(alike));
    findings_.leaks = Show(std::move(leaks));
  }

  // Numbers for prompts, merged with the groups of pairs that are alike.
  std::vector<int64_t> Groups() const {
    absl::flat_hash_map<Digest, int64_t> first_of_prompt;
    DisjointSets sets(pairs_.train.size());
    for (int64_t i = 0; i < pairs_.train.size(); ++i) {
      sets.Join(i, first_of_prompt.try_emplace(Identity(i).prompt, i).first->second);
      sets.Join(i, near_.group[static_cast<size_t>(i)]);
    }
    return sets.All();
  }

 private:
  const PairIdentity& Identity(int64_t i) const {
    return (pairs_.IsEval(i) ? evaluated_ : trained_)[static_cast<size_t>(pairs_.IndexOf(i))];
  }
  // The likest first, and of these the first ones.
  std::vector<NearFinding> Show(std::vector<Likeness> found) const {
    std::stable_sort(found.begin(), found.end(), [](const Likeness& a, const Likeness& b) {
      return a.pair.jaccard > b.pair.jaccard;
    });
    found.resize(std::min(found.size(), kCopiesShown));
    const auto show = [this](int64_t i) {
      return texts_.Show(pairs_.IsEval(i), pairs_.IndexOf(i));
    };
    std::vector<NearFinding> shown;
    for (const auto& [pair, is_opposite] : found) {
      shown.push_back({show(pair.first), show(pair.second), pair.jaccard, is_opposite});
    }
    return shown;
  }

  const AllPairs& pairs_;
  const PairTexts& texts_;
  Findings& findings_;
  const std::vector<PairIdentity> trained_, evaluated_;
  NearDuplicates near_;
};

}  // namespace

std::vector<int64_t> FindCopies(const TokenFile& train, const TokenFile& eval,
                                const PairTexts& texts, Findings* findings) {
  const AllPairs pairs{train, eval};
  CopySearch search(pairs, texts, findings);
  search.FindSame();
  search.FindLike();
  return search.Groups();
}

}  // namespace fpo::train
