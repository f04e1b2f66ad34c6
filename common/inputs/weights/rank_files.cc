#include "common/inputs/weights/rank_files.h"

#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;

constexpr char kEnd[] = ".safetensors";

// The world of a name that RankFileName makes.
std::optional<int64_t> WorldOf(absl::string_view name, absl::string_view stem) {
  absl::string_view rest = name;
  int64_t rank = 0, world = 0;
  if (!absl::ConsumePrefix(&rest, stem) || !absl::ConsumePrefix(&rest, "-rank-") ||
      !absl::ConsumeSuffix(&rest, kEnd)) {
    return std::nullopt;
  }
  const size_t of = rest.find("-of-");
  if (of == absl::string_view::npos || !absl::SimpleAtoi(rest.substr(0, of), &rank) ||
      !absl::SimpleAtoi(rest.substr(of + 4), &world) || world > kRankFilesMax || rank < 0 ||
      rank >= world || name != RankFileName(stem, rank, world)) {
    return std::nullopt;
  }
  return world;
}

// Of each file of the folder.
std::vector<int64_t> WorldsIn(const std::string& folder, absl::string_view stem) {
  std::vector<int64_t> worlds;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::optional<int64_t> world = WorldOf(it->path().filename().string(), stem);
    if (world.has_value()) worlds.push_back(*world);
  }
  return worlds;
}

}  // namespace

std::string RankFileName(absl::string_view stem, int64_t rank, int64_t world) {
  return absl::StrCat(stem, "-rank-", rank, "-of-", world, kEnd);
}

std::vector<std::string> RankFilesIn(const std::string& folder, absl::string_view stem) {
  const std::vector<int64_t> worlds = WorldsIn(folder, stem);
  std::vector<std::string> paths;
  if (worlds.empty() || static_cast<int64_t>(worlds.size()) != worlds.front()) return paths;
  for (const int64_t world : worlds) {
    if (world != worlds.front()) return {};
  }
  for (int64_t rank = 0; rank < worlds.front(); ++rank) {
    paths.push_back(absl::StrCat(folder, "/", RankFileName(stem, rank, worlds.front())));
  }
  return paths;
}

bool HasRankFile(const std::string& folder, absl::string_view stem) {
  return !WorldsIn(folder, stem).empty();
}

}  // namespace fpo
