#include "train/verdicts/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

constexpr char kJudge[] = R"({"kind":"model","model":"abc"})";

TEST(VerdictTest, TheKeyIsThatOfJudgeQuestionAndBothAnswersInTheirOrder) {
  const Comparison pair{"q", "one", "two"};
  std::set<std::string> keys = {VerdictKey(kJudge, pair)};
  EXPECT_EQ(VerdictKey(kJudge, pair), *keys.begin());
  EXPECT_EQ(keys.begin()->size(), 64u);
  keys.insert(VerdictKey("{}", pair));
  keys.insert(VerdictKey(kJudge, {"q", "two", "one"}));
  keys.insert(VerdictKey(kJudge, {"q ", "one", "two"}));
  keys.insert(VerdictKey(kJudge, {"q", "onet", "wo"}));  // lengths count
  keys.insert(VerdictKey(kJudge, {"qone", "", "two"}));
  EXPECT_EQ(keys.size(), 6u);
}

// Stores on disks hold this key: another one would lose them all in silence.
TEST(VerdictTest, TheKeyStaysThatOfEarlierVersions) {
  EXPECT_EQ(VerdictKey("{\"kind\":\"model\"}", {"What?", "This.", "That."}),
            "07e6f2f1d2f6a37390d4e70238922a5b278a4a7ac9258119c557fefdf08576f3");
}

TEST(VerdictTest, ALineReadsBack) {
  Verdict verdict;
  verdict.first = 0.1;
  verdict.is_weighted = true;
  verdict.mass = 0.875;
  verdict.words = "A\n\"quoted\" \xC3\xA4";
  verdict.prompt_tokens = 321;
  verdict.answer_tokens = 1;
  verdict.unix_seconds = 1'700'000'000;
  const std::string key = VerdictKey(kJudge, {"q", "a", "b"});
  const std::string line = VerdictLine(key, kJudge, verdict);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_THAT(line, HasSubstr(kJudge));
  const auto read = ParseVerdictLine(line);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->key, key);
  EXPECT_EQ(read->verdict.first, verdict.first);
  EXPECT_TRUE(read->verdict.is_weighted);
  EXPECT_EQ(read->verdict.mass, verdict.mass);
  EXPECT_EQ(read->verdict.words, verdict.words);
  EXPECT_EQ(read->verdict.prompt_tokens, 321);
  EXPECT_EQ(read->verdict.answer_tokens, 1);
  EXPECT_EQ(read->verdict.unix_seconds, verdict.unix_seconds);
  verdict.first.reset();
  EXPECT_FALSE(ParseVerdictLine(VerdictLine(key, kJudge, verdict))->verdict.first.has_value());
}

TEST(VerdictTest, ARatingReadsBack) {
  Verdict verdict;
  verdict.rating = 7.5;
  const std::string key(64, 'a');
  const auto read = ParseVerdictLine(VerdictLine(key, kJudge, verdict));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->verdict.rating, 7.5);
  EXPECT_FALSE(read->verdict.first.has_value());
  verdict.rating = 0;
  EXPECT_TRUE(absl::IsDataLoss(ParseVerdictLine(VerdictLine(key, kJudge, verdict)).status()));
  verdict.rating.reset();
  EXPECT_EQ(VerdictLine(key, kJudge, verdict).find("rating"), std::string::npos)
      << "lines of comparisons stay those of earlier versions";
}

TEST(VerdictTest, LongWordsAreCut) {
  Verdict verdict;
  verdict.words = std::string(1 << 20, 'x');
  EXPECT_LT(VerdictLine(std::string(64, 'a'), kJudge, verdict).size(), 5000u);
}

TEST(VerdictTest, EveryDamagedByteIsSeen) {
  Verdict verdict;
  verdict.first = 0.25;
  const std::string line = VerdictLine(VerdictKey(kJudge, {"q", "a", "b"}), kJudge, verdict);
  for (size_t at = 0; at < line.size(); ++at) {
    std::string damaged = line;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_TRUE(absl::IsDataLoss(ParseVerdictLine(damaged).status())) << at;
    EXPECT_FALSE(ParseVerdictLine(line.substr(0, at)).ok()) << at;
  }
  FuzzByMutation(line, 2000, [](const std::string& bytes) { (void)ParseVerdictLine(bytes); });
}

}  // namespace
}  // namespace fpo::train
