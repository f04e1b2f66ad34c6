// near_duplicates_bench PAIRS: how long FindNearDuplicates takes for made-up pairs of 400 tokens, a
// tenth of which are changed copies, and how much memory.
#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <vector>

#include "train/statistics/near_duplicates.h"
#include "train/statistics/random_bits.h"

namespace {

using fpo::train::MixBits;

constexpr int64_t kTokens = 400;

// Pair i is pair i - 1 with two other tokens where i ends in 9.
fpo::train::Shingles ShinglesOfMadeUp(int64_t i) {
  const bool is_copy = i % 10 == 9;
  const auto seed = static_cast<uint64_t>(is_copy ? i - 1 : i) << 20;
  std::vector<int32_t> ids;
  for (uint64_t k = 0; k < kTokens; ++k) {
    ids.push_back(static_cast<int32_t>(MixBits(seed + k) % 50000));
  }
  if (is_copy) ids[100] = ids[300] = 60000;
  fpo::train::Shingles shingles;
  fpo::train::AddShingles(ids, &shingles);
  fpo::train::FinishShingles(&shingles);
  return shingles;
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t pairs = argc > 1 ? std::atoll(argv[1]) : 100000;
  const auto start = std::chrono::steady_clock::now();
  const auto found = fpo::train::FindNearDuplicates({pairs, pairs, 0.8}, ShinglesOfMadeUp);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::cout << pairs << " pairs of " << kTokens << " tokens: " << found.pairs.size() << " of "
            << pairs / 10 << " copies found, " << seconds.count() << " s, "
            << usage.ru_maxrss / 1024 << " MiB at most\n";
  return 0;
}
