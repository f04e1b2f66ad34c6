#include "train/tokenizer/bpe.h"

#include <algorithm>
#include <map>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fpo::train {
namespace {

using ::testing::ElementsAre;

// A model whose merges are named by their parts, best first.
BpeModel ModelOf(std::vector<std::string> pieces,
                 const std::vector<std::pair<std::string, std::string>>& merges) {
  BpeModel model;
  model.pieces = std::move(pieces);
  const auto id = [&](const std::string& piece) {
    const auto it = std::find(model.pieces.begin(), model.pieces.end(), piece);
    if (it == model.pieces.end()) model.pieces.push_back(piece);
    return static_cast<int32_t>(std::find(model.pieces.begin(), model.pieces.end(), piece) -
                                model.pieces.begin());
  };
  for (const auto& [left, right] : merges) {
    const int32_t l = id(left), r = id(right);
    model.merges.push_back({l, r, id(left + right)});
  }
  return model;
}

std::vector<std::string> Pieces(const BpeModel& model, const std::string& text) {
  const Bpe bpe(model);
  std::vector<int32_t> ids;
  bpe.Encode(text, &ids);
  std::vector<std::string> pieces;
  for (const int32_t id : ids) pieces.push_back(model.pieces[static_cast<size_t>(id)]);
  return pieces;
}

TEST(BpeTest, TheBestMergeFirstAndTheLeftmostOfEquals) {
  const BpeModel model = ModelOf({"a", "b", "c"}, {{"b", "c"}, {"a", "b"}, {"a", "a"}});
  EXPECT_THAT(Pieces(model, "abc"), ElementsAre("a", "bc"));
  EXPECT_THAT(Pieces(model, "ab"), ElementsAre("ab"));
  EXPECT_THAT(Pieces(model, "aaa"), ElementsAre("aa", "a"));
  EXPECT_THAT(Pieces(model, "aaaa"), ElementsAre("aa", "aa"));
  EXPECT_THAT(Pieces(model, ""), ElementsAre());
}

TEST(BpeTest, TheLastOfTwoEqualMergesCounts) {
  const BpeModel model = ModelOf({"a", "b", "c"}, {{"a", "b"}, {"b", "c"}, {"a", "b"}});
  EXPECT_THAT(Pieces(model, "abc"), ElementsAre("a", "bc"));
}

TEST(BpeTest, BytesAndUnknowns) {
  BpeModel model = ModelOf({"<unk>", "a", "<0xC3>", "<0xB1>"}, {});
  model.unknown = 0;
  EXPECT_THAT(Pieces(model, "ñ"), ElementsAre("<0xC3>", "<0xB1>"));
  EXPECT_THAT(Pieces(model, "a漢字a"), ElementsAre("a", "<unk>", "a"));
  // The library adds an unknown stretch when the next piece comes.
  EXPECT_THAT(Pieces(model, "漢ña"), ElementsAre("<0xC3>", "<0xB1>", "<unk>", "a"));
  model.fuse_unknown = false;
  EXPECT_THAT(Pieces(model, "漢字"), ElementsAre("<unk>", "<unk>"));
  model.byte_fallback = false;
  EXPECT_THAT(Pieces(model, "ñ"), ElementsAre("<unk>"));
}

TEST(BpeTest, MergesOfBytesAndUnknownsAreKept) {
  BpeModel model = ModelOf({"<unk>", "a", "<0xC3>", "<0xB1>"},
                           {{"<0xC3>", "<0xB1>"}, {"<unk>", "a"}, {"a", "<0xC3>"}});
  model.unknown = 0;
  EXPECT_THAT(Pieces(model, "ñ"), ElementsAre("<0xC3><0xB1>"));
  EXPECT_THAT(Pieces(model, "漢a"), ElementsAre("<unk>a"));
}

TEST(BpeTest, AWholeTextThatIsAPiece) {
  BpeModel model = ModelOf({"a", "b", "aab"}, {{"a", "b"}});
  EXPECT_THAT(Pieces(model, "aab"), ElementsAre("a", "ab"));
  model.ignore_merges = true;
  EXPECT_THAT(Pieces(model, "aab"), ElementsAre("aab"));
  EXPECT_THAT(Pieces(model, "aaab"), ElementsAre("a", "a", "ab"));
}

// The definition: as long as some neighbours merge, merge the best, the leftmost of equals.
std::vector<int32_t> ByDefinition(const BpeModel& model, const std::string& text) {
  std::map<std::pair<int32_t, int32_t>, size_t> ranks;
  for (size_t i = 0; i < model.merges.size(); ++i) {
    ranks[{model.merges[i].left, model.merges[i].right}] = i;
  }
  std::vector<int32_t> ids;
  for (const char c : text) {
    const auto it = std::find(model.pieces.begin(), model.pieces.end(), std::string(1, c));
    ids.push_back(static_cast<int32_t>(it - model.pieces.begin()));
  }
  while (true) {
    size_t best = model.merges.size(), at = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto it = ranks.find({ids[i], ids[i + 1]});
      if (it == ranks.end() || it->second >= best) continue;
      best = it->second;
      at = i;
    }
    if (best == model.merges.size()) return ids;
    ids[at] = model.merges[best].result;
    ids.erase(ids.begin() + static_cast<int64_t>(at) + 1);
  }
}

TEST(BpeTest, EqualsTheDefinitionOnRandomModels) {
  std::mt19937 random(20240711);
  const auto below = [&](size_t n) { return random() % n; };
  for (int round = 0; round < 200; ++round) {
    const std::string letters = std::string("abcdef").substr(0, 2 + below(5));
    std::vector<std::string> pieces;
    for (const char c : letters) pieces.emplace_back(1, c);
    std::vector<std::pair<std::string, std::string>> merges;
    std::vector<std::string> known = pieces;
    for (size_t i = 0; i < 1 + below(30); ++i) {
      merges.emplace_back(known[below(known.size())], known[below(known.size())]);
      known.push_back(merges.back().first + merges.back().second);
    }
    std::shuffle(merges.begin(), merges.end(), random);
    const BpeModel model = ModelOf(pieces, merges);
    const Bpe bpe(model);
    for (int text = 0; text < 20; ++text) {
      std::string s;
      for (size_t i = 0; i < below(60); ++i) s += letters[below(letters.size())];
      std::vector<int32_t> ids;
      bpe.Encode(s, &ids);
      ASSERT_EQ(ids, ByDefinition(model, s)) << s;
    }
  }
}

// A quadratic method would need hours.
TEST(BpeTest, ALongRunIsNoWork) {
  const BpeModel model = ModelOf({"a"}, {{"a", "a"}, {"aa", "aa"}, {"aaaa", "aaaa"}});
  const Bpe bpe(model);
  std::vector<int32_t> ids;
  bpe.Encode(std::string(1'000'003, 'a'), &ids);
  EXPECT_EQ(ids.size(), 125'000u + 2);
}

}  // namespace
}  // namespace fpo::train
