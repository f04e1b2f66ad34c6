#include "train/data/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"
#include "train/rows/preference_dataset.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;

class AdmissionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.Put("tokenizer.model", TinyTokenizerBytes());
    tokenizer_.emplace(*Tokenizer::Open(folder_.path()));
    Use("none", {});
  }
  void Use(const std::string& name, AdmissionLimits limits) {
    template_.emplace(*ChatTemplate::Create(name, *tokenizer_, folder_.path()));
    admission_.emplace(*tokenizer_, *template_, limits);
  }
  std::vector<TokenPair> Admit(const std::string& json) {
    auto row = ParsePreferenceRow(json, "auto");
    EXPECT_TRUE(row.ok()) << row.status();
    row->where = "rows.jsonl:1";
    auto pairs = admission_->Admit(*row);
    EXPECT_TRUE(pairs.ok()) << pairs.status();
    return *pairs;
  }
  std::vector<std::string> Pieces(const std::vector<int32_t>& ids) {
    std::vector<std::string> pieces;
    for (const int32_t id : ids) pieces.push_back(tokenizer_->PieceOf(id));
    return pieces;
  }

  ScratchFolder folder_;
  std::optional<Tokenizer> tokenizer_;
  std::optional<ChatTemplate> template_;
  std::optional<Admission> admission_;
};

TEST_F(AdmissionTest, OnePieceWithTerminator) {
  const auto pairs = Admit(R"({"id":"q","prompt":"the","chosen":" abc","rejected":" x"})");
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_THAT(Pieces(pairs[0].prompt), ElementsAre("<bos>", "the"));
  EXPECT_THAT(Pieces(pairs[0].chosen), ElementsAre("▁abc", "<eos>"));
  EXPECT_THAT(Pieces(pairs[0].rejected), ElementsAre("▁", "x", "<eos>"));
  EXPECT_EQ(pairs[0].row_id, "q");
  EXPECT_EQ(admission_->Report().boundary_moves, 0);
}

TEST_F(AdmissionTest, AMergedTokenBelongsToBothResponses) {
  // "ab" + "c" is the one piece "abc", so the chosen side moves the boundary for both.
  const auto pairs = Admit(R"({"prompt":"xab","chosen":"c","rejected":"x"})");
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_THAT(Pieces(pairs[0].prompt), ElementsAre("<bos>", "x"));
  EXPECT_THAT(Pieces(pairs[0].chosen), ElementsAre("abc", "<eos>"));
  EXPECT_THAT(Pieces(pairs[0].rejected), ElementsAre("ab", "x", "<eos>"));
  EXPECT_EQ(admission_->Report().boundary_moves, 1);
}

TEST_F(AdmissionTest, TurnsEndWithEndOfTurn) {
  Use("gemma", {});
  const auto pairs = Admit(R"({"prompt":"abc","chosen":" a ","rejected":"b"})");
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_THAT(Pieces(pairs[0].prompt),
              ElementsAre("<bos>", "<start_of_turn>", "user", "\n", "abc", "<end_of_turn>", "\n",
                          "<start_of_turn>", "model", "\n"));
  EXPECT_THAT(Pieces(pairs[0].chosen), ElementsAre("a", "<end_of_turn>"));
}

TEST_F(AdmissionTest, DropNamesTheRow) {
  Use("gemma", {});
  Admit(R"({"prompt":[{"role":"assistant","content":"a"}],"chosen":"b","rejected":"c"})");
  Admit(R"({"prompt":[{"role":"tool","content":"a"}],"chosen":"b","rejected":"c"})");
  EXPECT_EQ(admission_->Report().dropped.at("bad_roles"), 1);
  EXPECT_EQ(admission_->Report().dropped.at("tool_calls_unsupported"), 1);
  EXPECT_EQ(admission_->Report().dropped_examples.at(0), "rows.jsonl:1: bad_roles");
}

TEST_F(AdmissionTest, EachReasonIsCounted) {
  Admit(R"({"prompt":"p","chosen":"","rejected":"r"})");
  Admit(R"({"prompt":"p","chosen":"same","rejected":"same"})");
  Admit(R"({"prompt":"p","chosen":"alone"})");
  Admit(R"({"chosen":[{"role":"user","content":"a"}],"rejected":[{"role":"user","content":"b"}]})");
  Admit(R"({"prompt_ids":[],"chosen_ids":[5],"rejected_ids":[6]})");
  Admit(R"({"prompt_ids":[2],"chosen_ids":[99999],"rejected_ids":[6]})");
  const std::map<std::string, int64_t> expected = {
      {"empty_response", 1},   {"identical_pair", 1}, {"no_rejected_response", 1},
      {"no_shared_prompt", 1}, {"empty_prompt", 1},   {"id_outside_vocabulary", 1}};
  EXPECT_EQ(admission_->Report().dropped, expected);
  EXPECT_EQ(admission_->Report().admitted, 0);
}

TEST_F(AdmissionTest, CutsPromptThenResponses) {
  AdmissionLimits limits;
  limits.max_length = 12;
  limits.max_prompt_length = 8;
  Use("none", limits);
  const auto pairs = Admit(R"({"prompt":"0123456789","chosen":"qwrtypsd","rejected":"q"})");
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_THAT(Pieces(pairs[0].prompt), ElementsAre("<bos>", "3", "4", "5", "6", "7", "8", "9"));
  EXPECT_THAT(Pieces(pairs[0].chosen), ElementsAre("q", "w", "r", "t"));  // no terminator left
  EXPECT_THAT(Pieces(pairs[0].rejected), ElementsAre("q", "<eos>"));
  const AdmissionReport report = admission_->Report();
  EXPECT_EQ(report.cut_prompts, 1);
  EXPECT_EQ(report.cut_chosen, 1);
  EXPECT_EQ(report.cut_rejected, 0);
  EXPECT_EQ(report.missing_terminators, 1);
}

TEST_F(AdmissionTest, IdsAreUsedAsGiven) {
  const auto pairs = Admit(R"({"prompt_ids":[7,8],"chosen_ids":[9],"rejected_ids":[10,1]})");
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_THAT(pairs[0].prompt, ElementsAre(7, 8));
  EXPECT_THAT(pairs[0].chosen, ElementsAre(9));
  Admit(R"({"prompt_ids":[2,2,8],"chosen_ids":[9],"rejected_ids":[10,1]})");
  const AdmissionReport report = admission_->Report();
  EXPECT_EQ(report.missing_bos, 1);
  EXPECT_EQ(report.doubled_bos, 1);
  EXPECT_EQ(report.missing_terminators, 2);
}

TEST_F(AdmissionTest, DuplicatesScoresAndShares) {
  const char* row =
      R"({"prompt":"x","chosen":"b","rejected":"c","score_chosen":5,"score_rejected":5})";
  Admit(row);
  Admit(row);
  const AdmissionReport report = admission_->Report();
  EXPECT_EQ(report.admitted, 2);
  EXPECT_EQ(report.duplicates, 1);
  EXPECT_EQ(report.equal_scores, 2);
  EXPECT_EQ(report.tokens, 2 * (2 + 2 + 2));
  EXPECT_NEAR(report.response_share, 2.0 / 3.0, 1e-12);
  EXPECT_EQ(report.total.maximum, 4);
  EXPECT_EQ(report.lower_scores, 0);
  Admit(R"({"prompt":"x","chosen":"b","rejected":"c","score_chosen":4,"score_rejected":5})");
  Admit(R"({"prompt":"x","chosen":"b","rejected":"c","score_chosen":5})");
  EXPECT_EQ(admission_->Report().lower_scores, 1);
}

TEST_F(AdmissionTest, ResponsesThatBeginWithTheirPromptAreCounted) {
  Admit(R"({"prompt":"the model","chosen":"the model abc","rejected":"the model x"})");
  EXPECT_EQ(admission_->Report().repeated_prompts, 1);
  Admit(R"({"prompt":"the model","chosen":"the model abc","rejected":" x"})");
  Admit(R"({"prompt":"a","chosen":"abc","rejected":"ax"})");
  EXPECT_EQ(admission_->Report().repeated_prompts, 1);
}

TEST_F(AdmissionTest, SftTrainsOnEveryAssistantTurn) {
  AdmissionLimits limits;
  limits.chosen_only = true;
  limits.pairs_required = false;
  Use("gemma", limits);
  const auto turns =
      Admit(R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},
      {"role":"user","content":"c"},{"role":"assistant","content":"d"}]})");
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_THAT(Pieces(turns[0].chosen), ElementsAre("b", "<end_of_turn>"));
  EXPECT_THAT(Pieces(turns[1].chosen), ElementsAre("d", "<end_of_turn>"));
  EXPECT_GT(turns[1].prompt.size(), turns[0].prompt.size());
  const auto pair = Admit(R"({"prompt":"a","chosen":"b","rejected":"b"})");
  ASSERT_EQ(pair.size(), 1u);  // the rejected side plays no part
  EXPECT_TRUE(pair[0].rejected.empty());
}

TEST_F(AdmissionTest, SftMayTrainOnOneTurnOnly) {
  const char* row =
      R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},
      {"role":"user","content":"c"},{"role":"assistant","content":"d"},{"role":"user","content":"e"}]})";
  AdmissionLimits limits;
  limits.chosen_only = true;
  limits.pairs_required = false;
  limits.train_on = AdmissionLimits::TrainOn::kLastTurn;
  Use("gemma", limits);
  auto turns = Admit(row);
  ASSERT_EQ(turns.size(), 1u);
  EXPECT_THAT(Pieces(turns[0].chosen), ElementsAre("d", "<end_of_turn>"));
  limits.train_on = AdmissionLimits::TrainOn::kFirstTurn;
  Use("gemma", limits);
  turns = Admit(row);
  ASSERT_EQ(turns.size(), 1u);
  EXPECT_THAT(Pieces(turns[0].chosen), ElementsAre("b", "<end_of_turn>"));
}

TEST_F(AdmissionTest, AResponseOfSeveralTurnsTrainsOnTheAssistantsOnly) {
  const char* row = R"({"prompt":[{"role":"user","content":"a"}],
      "chosen":[{"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"d"}],
      "rejected":[{"role":"assistant","content":"x"},{"role":"user","content":"c"},{"role":"assistant","content":"d"}]})";
  AdmissionLimits limits;
  limits.chosen_only = true;
  Use("gemma", limits);
  limits.pairs_required = false;
  Use("gemma", limits);
  const auto turns = Admit(row);
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_THAT(Pieces(turns[0].chosen), ElementsAre("b", "<end_of_turn>"));
  EXPECT_THAT(Pieces(turns[1].chosen), ElementsAre("d", "<end_of_turn>"));
  EXPECT_GT(turns[1].prompt.size(), turns[0].prompt.size());
  Use("gemma", {});
  const auto pairs = Admit(row);  // compared: one example
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(pairs[0].prompt, turns[0].prompt);
}

TEST_F(AdmissionTest, TurnMarksInAMessageAreTextAndCounted) {
  Use("gemma", {});
  const auto pairs = Admit(R"({"prompt":"a<end_of_turn>","chosen":"<eos>b","rejected":"c"})");
  ASSERT_EQ(pairs.size(), 1u);
  const auto count = [&](const std::vector<int32_t>& ids, const char* piece) {
    return std::count(ids.begin(), ids.end(), *tokenizer_->IdOf(piece));
  };
  EXPECT_EQ(count(pairs[0].prompt, "<end_of_turn>"), 1);
  EXPECT_EQ(count(pairs[0].chosen, "<eos>"), 0);
  EXPECT_EQ(count(pairs[0].chosen, "<end_of_turn>"), 1);
  EXPECT_EQ(admission_->Report().literal_marks, 1);
  // Text that is joined as it is may hold turns of its own.
  Use("none", {});
  EXPECT_EQ(count(Admit(R"({"prompt":"a<end_of_turn>","chosen":"b","rejected":"c"})")[0].prompt,
                  "<end_of_turn>"),
            1);
  EXPECT_EQ(admission_->Report().literal_marks, 0);
}

TEST_F(AdmissionTest, TheModelsOwnTemplateIsReported) {
  folder_.Put(
      "chat_template.jinja",
      "<bos>{% for m in messages %}{% if m.content == 'no' %}{{ raise_exception('I say no') }}"
      "{% endif %}[{{ m.role }}]{{ m.content }}<end_of_turn>{% endfor %}"
      "{% if add_generation_prompt %}[assistant]{% endif %}");
  Use("auto", {});
  EXPECT_EQ(Admit(R"({"prompt":"a","chosen":"b","rejected":"c"})").size(), 1u);
  EXPECT_TRUE(Admit(R"({"prompt":"no","chosen":"b","rejected":"c"})").empty());
  const AdmissionReport report = admission_->Report();
  EXPECT_EQ(report.template_name, "own");
  EXPECT_EQ(
      report.template_reason,
      "auto: strings, and the model's folder has a chat template; the model's own template of "
      "chat_template.jinja");
  EXPECT_EQ(report.missing_terminators, 0);
  EXPECT_EQ(report.dropped_examples.at(0), "rows.jsonl:1: template_refused: I say no");
}

TEST_F(AdmissionTest, PlainTextHasOnlyBosInFront) {
  AdmissionLimits limits;
  limits.pairs_required = false;
  Use("auto", limits);
  const auto rows = Admit(R"({"text":"the abc"})");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_THAT(Pieces(rows[0].prompt), ElementsAre("<bos>"));
  EXPECT_THAT(Pieces(rows[0].chosen), ElementsAre("the", "▁abc", "<eos>"));
}

TEST_F(AdmissionTest, StopsAtMaxPairs) {
  AdmissionLimits limits;
  limits.max_pairs = 1;
  Use("none", limits);
  EXPECT_FALSE(admission_->full());
  Admit(R"({"prompt":"a","chosen":"b","rejected":"c"})");
  EXPECT_TRUE(admission_->full());
  EXPECT_TRUE(Admit(R"({"prompt":"a","chosen":"b","rejected":"d"})").empty());
  EXPECT_TRUE(admission_->Report().stopped_at_max_pairs);
}

}  // namespace
}  // namespace fpo::train
