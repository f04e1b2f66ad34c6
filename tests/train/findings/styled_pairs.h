#pragma once

#include <gtest/gtest.h>
#include <cstdint>

#include <string>
#include <utility>
#include <vector>

#include "tests/train/support/tiny_run.h"
#include "train/data/token_file.h"

namespace fpo::train {

inline const std::vector<int32_t> kStylePhrase = {50, 51, 52};

// Random pairs of which every `every`-th chosen response begins with kStylePhrase.
inline std::vector<TokenPair> StyledPairs(int64_t count, int64_t every, uint64_t seed) {
  std::vector<TokenPair> pairs = RandomPairs(count, seed);
  for (size_t i = 0; i < pairs.size(); i += static_cast<size_t>(every)) {
    std::vector<int32_t>& chosen = pairs[i].chosen;
    chosen.insert(chosen.begin(), kStylePhrase.begin(), kStylePhrase.end());
  }
  return pairs;
}

inline void WriteTokenPairs(const std::vector<TokenPair>& pairs, const std::string& path) {
  TokenFileWriter writer;
  for (const TokenPair& pair : pairs) writer.Add(pair);
  const absl::Status status = writer.Write(path, {});
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace fpo::train
