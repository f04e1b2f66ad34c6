#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fpo {

// Files of which each rank of a run writes one: "model-rank-1-of-4.safetensors".
inline constexpr int64_t kRankFilesMax = 1024;  // ranks
inline constexpr char kModelRankStem[] = "model";
inline constexpr char kOptimizerRankStem[] = "optimizer";

std::string RankFileName(absl::string_view stem, int64_t rank, int64_t world);

// The paths of all files of one world in rank order, where every one of them lies in the folder.
// Empty: there are none, one is missing, or there are some of two worlds.
std::vector<std::string> RankFilesIn(const std::string& folder, absl::string_view stem);

// Whether the folder has such a file of any rank.
bool HasRankFile(const std::string& folder, absl::string_view stem);

}  // namespace fpo
