#include "train/verdicts/annotations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/evaluation/length_control.h"
#include "tests/train/support/scratch_folder.h"
#include "train/verdicts/alpaca_tables.h"
#include "train/verdicts/csv_text.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

constexpr char kRow[] =
    R"({"instruction": "i", "output_1": "a", "output_2": "b", "generator_1": "base", )"
    R"("generator_2": "m", "annotator": "j", "preference": )";

TEST(AnnotationsTest, ReadsWhatIsThere) {
  const ScratchFolder folder;
  const std::string path = folder.Put(
      "annotations.jsonl", std::string(kRow) + "1.75}\n" + kRow + "null}\n" + kRow + "0}\n");
  const auto read = ReadAnnotations(path);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 3u);
  EXPECT_EQ((*read)[0].baseline, "base");
  EXPECT_EQ((*read)[0].model_output, "b");
  EXPECT_EQ((*read)[0].preference, 0.75);
  EXPECT_FALSE((*read)[1].preference.has_value());
  EXPECT_EQ(PreferencesOf(*read), (std::vector<double>{0.75, 0.5}));
}

TEST(AnnotationsTest, ErrorsNameLineAndField) {
  const ScratchFolder folder;
  const auto error = [&](const std::string& text) {
    return std::string(ReadAnnotations(folder.Put("a.jsonl", text)).status().message());
  };
  EXPECT_THAT(error(std::string(kRow) + "1}\n" + kRow + "3}\n"),
              HasSubstr("a.jsonl:2: no annotation: \"preference\" is 3"));
  EXPECT_THAT(error(std::string(kRow) + "\"good\"}\n"), HasSubstr("\"preference\" is \"good\""));
  EXPECT_THAT(error(R"({"instruction": "i", "output_1": "a"})"), HasSubstr("output_2"));
  EXPECT_THAT(error("[1]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(error("\n"), HasSubstr("holds no annotation"));
}

TEST(AnnotationsTest, LengthsAreCodePoints) {
  EXPECT_EQ(CodePoints(""), 0);
  EXPECT_EQ(CodePoints("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"), 4);
  EXPECT_EQ(CodePoints("\xFFz"), 2);
}

// What AlpacaEval has published: its judge's annotations, and the leaderboard made of them.
class LeaderboardTest : public ::testing::Test {
 protected:
  // Once for all of these tests: unpacking takes seconds without optimisation.
  static void SetUpTestSuite() {
    const std::string folder = SharedData("eval/alpaca_eval/annotations");
    if (folder.empty()) return;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      models_.push_back(name.substr(0, name.find(".annotations")));
      auto read = ReadAnnotations(entry.path());
      ASSERT_TRUE(read.ok()) << read.status();
      annotations_.push_back(*std::move(read));
    }
    auto board = ReadCsv(SharedData("eval/alpaca_eval/leaderboard.csv"));
    ASSERT_TRUE(board.ok()) << board.status();
    board_ = *std::move(board);
  }
  static void TearDownTestSuite() { annotations_.clear(); }
  void SetUp() override {
    if (SharedData("eval/alpaca_eval/annotations").empty()) {
      GTEST_SKIP() << "the shared AlpacaEval data is not on this machine";
    }
    ASSERT_GE(models_.size(), 4u);
  }
  double Published(const std::string& model, const std::string& column) const {
    double value = std::nan("");
    for (const std::vector<std::string>& row : board_.rows) {
      const std::string& samples = row[board_.columns.at("samples")];
      if (!absl::StrContains(samples, absl::StrCat("/results/", model, "/"))) continue;
      (void)absl::SimpleAtod(row[board_.columns.at(column)], &value);
    }
    return value;
  }

  inline static std::vector<std::string> models_;
  inline static std::vector<std::vector<Annotation>> annotations_;
  inline static CsvTable board_;
};

TEST_F(LeaderboardTest, WinRatesAreThePublishedOnes) {
  int compared = 0;
  for (size_t i = 0; i < models_.size(); ++i) {
    const auto rate = WinRateOf(PreferencesOf(annotations_[i]));
    ASSERT_TRUE(rate.ok()) << models_[i];
    EXPECT_EQ(rate->count, 805) << models_[i];
    const double published = Published(models_[i], "win_rate");
    if (std::isnan(published)) continue;  // text_davinci_003 is no longer on the board
    EXPECT_NEAR(rate->percent, published, 5e-7) << models_[i];
    ++compared;
  }
  EXPECT_GE(compared, 3);
}

TEST_F(LeaderboardTest, PreferencesAreThoseOfTheStoredLogProbabilities) {
  int64_t checked = 0;
  for (const std::vector<Annotation>& annotations : annotations_) {
    for (const Annotation& annotation : annotations) {
      if (annotation.first_token.empty() || !annotation.preference) continue;
      const auto verdict = VerdictOfLogProbs(annotation.first_token, "m", "M");
      ASSERT_TRUE(verdict.has_value()) << annotation.instruction;
      // The judge saw the answers in either order, which the file does not say. Log-probabilities
      // are stored to 1e-7.
      const double other = std::min(std::abs(verdict->first - *annotation.preference),
                                    std::abs(1 - verdict->first - *annotation.preference));
      EXPECT_LT(other, 2.5e-8) << annotation.instruction;  // a share moves by at most 1/4 of that
      ++checked;
    }
  }
  EXPECT_GE(checked, 1600);
}

TEST_F(LeaderboardTest, TheBaselineAgainstItselfIsADraw) {
  const auto weights = ReadLengthControlWeights(SharedData("eval/alpaca_eval/lc_glm_weights.csv"));
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_GE(weights->size(), 190u);
  const auto rate = LengthControlledWinRate(weights->at("gpt4_1106_preview"), {0.5, -2, 1});
  EXPECT_DOUBLE_EQ(rate->percent, 50);
  EXPECT_DOUBLE_EQ(Published("gpt4_1106_preview", "length_controlled_winrate"), 50);
}

// The published difficulties are a download of their own. What the mean of a prediction needs of
// them is how they are distributed, which tests/golden/deduce_difficulties.py has found from every
// other model of the board (sorted by name): shares of values. The models between them were not
// looked at.
struct DifficultyShare {
  double value, share;
};
constexpr DifficultyShare kDifficulties[] = {
    {-8.33, 4.048792958212926e-10}, {-2.96, 0.002932663505520802}, {-2.89, 0.0024553838771897464},
    {-2.48, 0.014043207819061721},  {-2.30, 0.017010964389219167}, {-2.05, 0.054196595515532776},
    {-1.64, 0.1003811134657546},    {-1.08, 0.1521274486981488},   {-0.84, 0.008209121713627704},
    {-0.47, 0.14391899208913644},   {-0.21, 0.05035482203074588},  {0.10, 0.11703593177224096},
    {0.42, 0.06260276000589649},    {0.73, 0.01963974170049315},   {0.95, 0.06887745771615593},
    {1.45, 0.03753090043569304},    {1.71, 0.0331214556199378},    {2.18, 0.043745187236102344},
    {2.29, 0.0027332474348762},     {2.64, 0.005659146496968563},  {2.84, 0.02533788736245834},
    {3.15, 0.009566707010832448},   {3.42, 0.01373303228590706},   {3.92, 0.0055913076584192915},
    {4.10, 0.0038954169492482955},  {4.48, 0.003760375000612312},  {4.59, 3.430788800195782e-06},
    {4.78, 0.0002509433843737978},  {4.83, 4.279046414853814e-05}, {5.81, 0.0010767398760719766},
    {5.82, 0.00016522729194592517}};

// One to three of their preferences are missing, so they were judged on another set.
const std::set<std::string> kJudgedOnFewer = {"Meta-Llama-3.1-8B-Instruct-Turbo",
                                              "Qwen1.5-1.8B-Chat",
                                              "Snorkel-Mistral-PairRM-DPO",
                                              "gpt35_turbo_instruct",
                                              "llama-2-70b-chat-hf",
                                              "minotaur-13b",
                                              "phi-2",
                                              "platolm-7b",
                                              "text_davinci_001"};
// Their stored weights are of another run than the board's number: 0.19 and 0.13 points apart.
const std::set<std::string> kOtherWeights = {"dbrx-instruct", "NullModel"};

TEST_F(LeaderboardTest, LengthControlledRatesAreThePublishedOnes) {
  const auto weights = ReadLengthControlWeights(SharedData("eval/alpaca_eval/lc_glm_weights.csv"));
  ASSERT_TRUE(weights.ok()) << weights.status();
  int compared = 0;
  for (const auto& [model, entry] : *weights) {
    const double published = Published(model, "length_controlled_winrate");
    if (std::isnan(published)) continue;
    double percent = 0;
    for (const DifficultyShare& part : kDifficulties) {
      percent += part.share * LengthControlledWinRate(entry, {part.value})->percent;
    }
    if (kOtherWeights.count(model) != 0) {
      EXPECT_NEAR(percent, published, 0.2) << model;
    } else if (kJudgedOnFewer.count(model) != 0) {
      EXPECT_NEAR(percent, published, 0.02) << model;
    } else {
      EXPECT_NEAR(percent, published, 5e-7) << model;
      ++compared;
    }
  }
  EXPECT_GE(compared, 170);
}

// A fit needs each instruction's difficulty; alpaca_eval 0.6.6 was given the formula of
// tests/golden/make_evaluation_goldens.py instead, on the published annotations.
struct GoldenLength {
  const char* model;
  double percent;
  double weights[3];
};
constexpr GoldenLength kGoldenLengths[] = {
    {"FuseChat-Gemma-2-9B-Instruct",
     70.15106507502387,
     {-1.0305972231169367, 0.0690965947526439, 0.8562869434935366}},
    {"gemma-2b-it",
     6.590944775563607,
     {-1.4813354710696178, 0.2509733070021198, -2.7059142027283185}},
    {"text_davinci_003",
     6.941086330638437,
     {-1.687737998283142, 0.319873681431155, -2.683014989231327}},
};

TEST_F(LeaderboardTest, OwnFitsOnPublishedAnnotationsAreThoseOfAlpacaEval) {
  std::vector<GamedRow> gamed;
  const auto difficulty = [](size_t i) { return 2 * std::sin(0.7 * static_cast<double>(i) + 1); };
  for (const double sign : {-1.0, 1.0}) {
    for (size_t i = 0; i < 805; ++i) {
      const double at = static_cast<double>(i);
      const double logit = 0.5 * difficulty(i) - 1.2 * sign + 0.4 * std::cos(1.3 * at);
      gamed.push_back(
          {1 / (1 + std::exp(-logit)), sign + 0.5 * std::sin(0.37 * at), difficulty(i)});
    }
  }
  for (const GoldenLength& golden : kGoldenLengths) {
    const auto place = std::find(models_.begin(), models_.end(), golden.model) - models_.begin();
    ASSERT_LT(static_cast<size_t>(place), models_.size()) << golden.model;
    std::vector<JudgedLength> rows;
    for (const Annotation& annotation : annotations_[static_cast<size_t>(place)]) {
      rows.push_back({*annotation.preference, CodePoints(annotation.baseline_output),
                      CodePoints(annotation.model_output), difficulty(rows.size())});
    }
    const auto fit = FitLengthControl(rows, gamed);
    ASSERT_TRUE(fit.ok()) << fit.status();
    EXPECT_NEAR(fit->rate.percent, golden.percent, 0.01) << golden.model;
    EXPECT_NEAR(fit->weights.length, golden.weights[0], 0.005) << golden.model;
    EXPECT_NEAR(fit->weights.difficulty, golden.weights[1], 0.005) << golden.model;
    EXPECT_NEAR(fit->weights.model, golden.weights[2], 0.005) << golden.model;
  }
}

}  // namespace
}  // namespace fpo::train
