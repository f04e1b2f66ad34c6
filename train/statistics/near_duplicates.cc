#include "train/statistics/near_duplicates.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/observe/work.h"
#include "train/statistics/disjoint_sets.h"

namespace fpo::train {
namespace {

constexpr int kLeadersMax = 4;  // of the texts that agree in a band

class DuplicateSearch {
 public:
  DuplicateSearch(const NearDuplicateOptions& options,
                  absl::FunctionRef<Shingles(int64_t)> shingles_of)
      : options_(options), shingles_of_(shingles_of), sets_(options.count) {}

  void Sign() {
    Work work("looking for near duplicates", options_.count, "pairs");
    keys_.reserve(static_cast<size_t>(options_.count));
    for (int64_t i = 0; i < options_.count; ++i) {
      keys_.push_back(BandKeysOf(shingles_of_(i)));
      work.Advance();
    }
  }
  void Search() {
    Work work("comparing near duplicates", kBands, "bands");
    std::vector<int64_t> order(static_cast<size_t>(options_.count));
    std::iota(order.begin(), order.end(), int64_t{0});
    for (size_t band = 0; band < kBands; ++band) {
      const auto key = [&](int64_t i) { return keys_[static_cast<size_t>(i)][band]; };
      std::sort(order.begin(), order.end(),
                [&](int64_t a, int64_t b) { return std::pair(key(a), a) < std::pair(key(b), b); });
      for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
        while (end < order.size() && key(order[end]) == key(order[begin])) ++end;
        if (end - begin == 1) continue;
        CompareRun({order.begin() + static_cast<std::ptrdiff_t>(begin),
                    order.begin() + static_cast<std::ptrdiff_t>(end)});
      }
      work.Advance();
    }
  }
  NearDuplicates Take() {
    result_.group = sets_.All();
    for (const auto& [second, pair] : across_) result_.pairs.push_back(pair);
    std::sort(result_.pairs.begin(), result_.pairs.end(), [](const NearPair& a, const NearPair& b) {
      return std::pair(a.second, a.first) < std::pair(b.second, b.first);
    });
    return std::move(result_);
  }

 private:
  bool IsAcross(int64_t first, int64_t second) const {
    return first < options_.second_part && second >= options_.second_part;
  }
  // The texts of `run` agree in a band: compares each with the first, those that are not alike with
  // the first of them, and so on.
  void CompareRun(std::vector<int64_t> run) {
    for (int leader = 0; leader < kLeadersMax && run.size() > 1; ++leader) {
      const int64_t first = run.front();
      Shingles of_first;
      std::vector<int64_t> others;
      for (auto it = run.begin() + 1; it != run.end(); ++it) {
        if (!Compare(first, *it, &of_first)) others.push_back(*it);
      }
      run = std::move(others);
    }
  }
  bool Compare(int64_t first, int64_t second, Shingles* of_first) {
    const bool joined = sets_.Of(first) == sets_.Of(second);
    if (joined && (!IsAcross(first, second) || across_.contains(second))) return true;
    if (of_first->empty()) *of_first = shingles_of_(first);
    const double jaccard = Jaccard(*of_first, shingles_of_(second));
    if (jaccard < options_.threshold) return false;
    const NearPair pair{first, second, jaccard};
    if (IsAcross(first, second)) {
      across_.emplace(second, pair);
    } else if (!joined) {
      result_.pairs.push_back(pair);
    }
    sets_.Join(first, second);
    return true;
  }

  const NearDuplicateOptions& options_;
  absl::FunctionRef<Shingles(int64_t)> shingles_of_;
  DisjointSets sets_;
  std::vector<BandKeys> keys_;
  absl::flat_hash_map<int64_t, NearPair> across_;  // by `second`
  NearDuplicates result_;
};

}  // namespace

NearDuplicates FindNearDuplicates(const NearDuplicateOptions& options,
                                  absl::FunctionRef<Shingles(int64_t)> shingles_of) {
  DuplicateSearch search(options, shingles_of);
  search.Sign();
  search.Search();
  return search.Take();
}

}  // namespace fpo::train
