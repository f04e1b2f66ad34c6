#pragma once

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "train/statistics/min_hash.h"

namespace fpo::train {

// Two texts whose sets of shingles are alike.
struct NearPair {
  int64_t first = 0, second = 0;  // first < second
  double jaccard = 0;
};

struct NearDuplicates {
  std::vector<int64_t> group;  // of each text: the first text that it is alike, through others
  // What joined the groups, and for each text behind `second_part` one before it that it is alike.
  // By `second`.
  std::vector<NearPair> pairs;
};

struct NearDuplicateOptions {
  int64_t count = 0;        // texts
  int64_t second_part = 0;  // the texts from here on are of other data
  double threshold = 0.8;   // of Jaccard's index
};

// Finds texts that are alike: candidates agree in a band of MinHash (min_hash.h has the chance that
// a pair is missed), and count when their exact index reaches the threshold. 180 bytes a text;
// time grows with texts and their shingles, and with the candidates, of which each band compares
// every text with at most four.
NearDuplicates FindNearDuplicates(const NearDuplicateOptions& options,
                                  absl::FunctionRef<Shingles(int64_t)> shingles_of);

}  // namespace fpo::train
