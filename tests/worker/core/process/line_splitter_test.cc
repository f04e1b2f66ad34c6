#include "worker/core/process/line_splitter.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace fpo::worker {
namespace {

using Parts = std::vector<std::pair<std::string, bool>>;

Parts Split(size_t limit, const std::vector<std::string>& chunks) {
  LineSplitter splitter(limit);
  Parts parts;
  const auto keep = [&](std::string line, bool continues) { parts.emplace_back(line, continues); };
  for (const std::string& chunk : chunks) splitter.Feed(chunk, keep);
  splitter.Finish(keep);
  return parts;
}

TEST(LineSplitterTest, JoinsChunksAndKeepsEmptyLines) {
  EXPECT_EQ(Split(100, {"a", "b\n\nc", "d\n"}), (Parts{{"ab", false}, {"", false}, {"cd", false}}));
}

TEST(LineSplitterTest, GivesTheRestWithoutANewline) {
  EXPECT_EQ(Split(100, {"a\nb"}), (Parts{{"a", false}, {"b", false}}));
}

TEST(LineSplitterTest, CutsLongLinesWithoutLosingAByte) {
  EXPECT_EQ(Split(3, {"abcdefg\nxyz\n"}),
            (Parts{{"abc", true}, {"def", true}, {"g", false}, {"xyz", false}}));
  EXPECT_EQ(Split(3, {"ab", "cd", "\n"}), (Parts{{"abc", true}, {"d", false}}));
}

}  // namespace
}  // namespace fpo::worker
