#include "train/data/response_turns.h"

#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"
#include "train/data/context_id.h"
#include "train/rows/preference_dataset.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using TrainOn = AdmissionLimits::TrainOn;

constexpr char kPair[] = R"({"prompt":[{"role":"user","content":"a"}],
    "chosen":[{"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"d"}],
    "rejected":[{"role":"assistant","content":"x"}]})";

class ResponseTurnsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.Put("tokenizer.model", TinyTokenizerBytes());
    tokenizer_.emplace(*Tokenizer::Open(folder_.path()));
  }
  std::vector<TokenPair> Admit(const std::string& json, const std::string& name,
                               const AdmissionLimits& limits) {
    template_.emplace(*ChatTemplate::Create(name, *tokenizer_, folder_.path()));
    admission_.emplace(*tokenizer_, *template_, limits);
    auto row = ParsePreferenceRow(json, "auto");
    EXPECT_TRUE(row.ok()) << row.status();
    auto pairs = admission_->Admit(*row);
    EXPECT_TRUE(pairs.ok()) << pairs.status();
    return *pairs;
  }
  std::string DropReason(const std::string& json, const std::string& name,
                         const AdmissionLimits& limits = {}) {
    EXPECT_TRUE(Admit(json, name, limits).empty());
    const auto dropped = admission_->Report().dropped;
    return dropped.size() == 1 ? dropped.begin()->first : "none or several";
  }
  // Context in parentheses.
  std::vector<std::string> Pieces(const std::vector<int32_t>& ids) {
    std::vector<std::string> pieces;
    for (const int32_t id : ids) {
      const std::string piece = tokenizer_->PieceOf(TokenOf(id));
      pieces.push_back(IsContextId(id) ? "(" + piece + ")" : piece);
    }
    return pieces;
  }

  ScratchFolder folder_;
  std::optional<Tokenizer> tokenizer_;
  std::optional<ChatTemplate> template_;
  std::optional<Admission> admission_;
};

TEST_F(ResponseTurnsTest, TheUsersTurnsAreContext) {
  const auto pairs = Admit(kPair, "gemma", {});
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_THAT(Pieces(pairs[0].prompt),
              ElementsAre("<bos>", "<start_of_turn>", "user", "\n", "a", "<end_of_turn>", "\n",
                          "<start_of_turn>", "model", "\n"));
  EXPECT_THAT(Pieces(pairs[0].chosen),
              ElementsAre("b", "<end_of_turn>", "(\n)", "(<start_of_turn>)", "(user)", "(\n)",
                          "(c)", "(<end_of_turn>)", "(\n)", "(<start_of_turn>)", "(model)", "(\n)",
                          "d", "<end_of_turn>"));
  EXPECT_THAT(Pieces(pairs[0].rejected), ElementsAre("x", "<end_of_turn>"));
  EXPECT_EQ(admission_->Report().missing_terminators, 0);
}

TEST_F(ResponseTurnsTest, TrainOnChoosesTheTurns) {
  AdmissionLimits limits;
  limits.train_on = TrainOn::kFirstTurn;
  auto pairs = Admit(kPair, "gemma", limits);
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_THAT(Pieces(pairs[0].chosen), ElementsAre("b", "<end_of_turn>"));
  limits.train_on = TrainOn::kLastTurn;
  pairs = Admit(kPair, "gemma", limits);
  ASSERT_EQ(pairs.size(), 1u);
  const auto pieces = Pieces(pairs[0].chosen);
  ASSERT_EQ(pieces.size(), 14u);
  EXPECT_EQ(pieces[0], "(b)");
  EXPECT_EQ(pieces[1], "(<end_of_turn>)");
  EXPECT_EQ(pieces[12], "d");
}

TEST_F(ResponseTurnsTest, AnUntrainedMessageIsContext) {
  const auto pairs = Admit(R"({"prompt":[{"role":"user","content":"a"}],
      "chosen":[{"role":"assistant","content":"b","weight":0},{"role":"user","content":"c"},{"role":"assistant","content":"d"}],
      "rejected":[{"role":"assistant","content":"x"}]})",
                           "gemma", {});
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(Pieces(pairs[0].chosen)[0], "(b)");
}

TEST_F(ResponseTurnsTest, TheTokensAreThoseOfTheSameTurnsInSft) {
  AdmissionLimits sft;
  sft.chosen_only = true;
  sft.pairs_required = false;
  const auto turns = Admit(kPair, "gemma", sft);
  const auto pairs = Admit(kPair, "gemma", {});
  ASSERT_EQ(turns.size(), 2u);
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(pairs[0].prompt, turns[0].prompt);
  std::vector<int32_t> whole = pairs[0].prompt, scored, expected = turns[0].chosen;
  for (const int32_t id : pairs[0].chosen) {
    whole.push_back(TokenOf(id));
    if (!IsContextId(id)) scored.push_back(id);
  }
  expected.insert(expected.end(), turns[1].chosen.begin(), turns[1].chosen.end());
  EXPECT_EQ(scored, expected);
  std::vector<int32_t> last = turns[1].prompt;
  last.insert(last.end(), turns[1].chosen.begin(), turns[1].chosen.end());
  EXPECT_EQ(whole, last);
}

TEST_F(ResponseTurnsTest, AModelsOwnTemplate) {
  folder_.Put("own.jinja",
              "{% for m in messages %}<start_of_turn>{{ m.role[0] }}\n{{ m.content }}<end_of_turn>"
              "{% endfor %}{% if add_generation_prompt %}<start_of_turn>a\n{% endif %}");
  const auto pairs = Admit(kPair, folder_ / "own.jinja", {});
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_THAT(
      Pieces(pairs[0].chosen),
      ElementsAre("b", "<end_of_turn>", "(<start_of_turn>)", "(u)", "(\n)", "(c)",
                  "(<end_of_turn>)", "(<start_of_turn>)", "(a)", "(\n)", "d", "<end_of_turn>"));
}

TEST_F(ResponseTurnsTest, WithoutEndMarksTheTurnsCannotBeToldApart) {
  EXPECT_EQ(DropReason(kPair, "halo"), "responses_of_several_turns");
  EXPECT_EQ(DropReason(kPair, "none"), "responses_of_several_turns");
}

TEST_F(ResponseTurnsTest, ResponsesBeginAndEndWithTheAssistant) {
  EXPECT_EQ(DropReason(R"({"prompt":[{"role":"user","content":"a"}],
      "chosen":[{"role":"assistant","content":"b"},{"role":"user","content":"c"}],
      "rejected":[{"role":"assistant","content":"x"}]})",
                       "gemma"),
            "bad_roles");
  EXPECT_EQ(DropReason(R"({"prompt":[{"role":"user","content":"a"}],
      "chosen":[{"role":"assistant","content":"b"},{"role":"assistant","content":"c"}],
      "rejected":[{"role":"assistant","content":"x"}]})",
                       "gemma"),
            "bad_roles");
}

TEST_F(ResponseTurnsTest, ACutResponseDoesNotEndInContext) {
  AdmissionLimits limits;
  limits.max_prompt_length = 10;
  limits.max_length = 15;  // five ids of the response: two of the turn, three of the user's
  auto pairs = Admit(kPair, "gemma", limits);
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_THAT(Pieces(pairs[0].chosen), ElementsAre("b", "<end_of_turn>"));
  EXPECT_EQ(admission_->Report().cut_chosen, 1);
  limits.train_on = TrainOn::kLastTurn;
  EXPECT_EQ(DropReason(kPair, "gemma", limits), "empty_response");
}

}  // namespace
}  // namespace fpo::train
