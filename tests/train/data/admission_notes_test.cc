#include "train/data/admission_notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fpo::train {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

AdmissionReport GoodReport() {
  AdmissionReport report;
  report.template_name = "none";
  report.template_reason = "auto: strings, and the model's folder has no chat template";
  report.rows = report.examples = 3000;
  report.admitted = 2975;
  report.dropped = {{"identical_pair", 20}, {"no_rejected_response", 5}};
  report.dropped_examples = {"train.jsonl:3: identical_pair"};
  report.cut_prompts = 12;
  report.cut_chosen = 40;
  report.cut_rejected = 38;
  report.duplicates = 3;
  report.max_length = 1024;
  report.max_prompt_length = 512;
  report.prompt = {1, 2, 85, 210, 400, 512, 90};
  report.chosen = {1, 2, 120, 300, 500, 512, 130};
  report.rejected = {1, 2, 118, 310, 500, 511, 130};
  report.uncut = {1, 2, 205, 510, 900, 2000, 250};
  return report;
}

TEST(AdmissionNotesTest, OneLineSaysAll) {
  EXPECT_EQ(AdmissionLine("data.train", GoodReport()),
            "data.train: 3000 rows read, 2975 pairs admitted, 25 left out (20 identical_pair, 5 "
            "no_rejected_response); template none (auto: strings, and the model's folder has no "
            "chat template); cut: 12 prompts, 40 chosen, 38 rejected; 3 duplicates; tokens "
            "p50/p90/max: prompt 85/210/512 chosen 120/300/512 rejected 118/310/511");
}

TEST(AdmissionNotesTest, ConversationsCountTheirTurns) {
  AdmissionReport report = GoodReport();
  report.examples = 4487;
  report.dropped.clear();
  report.malformed = 2;
  report.rejected = {};
  report.stopped_at_max_pairs = true;
  EXPECT_THAT(AdmissionLine("data.train", report),
              AllOf(HasSubstr("3000 rows read (4487 turns of the assistant) until data.max_pairs"),
                    HasSubstr("2975 examples admitted, 2 left out (2 malformed)"),
                    HasSubstr("cut: 12 prompts, 40 chosen;")));
}

TEST(AdmissionNotesTest, GoodDataWarnsOfNothing) {
  EXPECT_THAT(AdmissionWarnings("data.train", GoodReport()), IsEmpty());
}

TEST(AdmissionNotesTest, WarnsOfResponsesThatAreCut) {
  AdmissionReport report = GoodReport();
  report.cut_chosen = 2975;
  report.max_length = 64;
  EXPECT_THAT(
      AdmissionWarnings("data.train", report),
      ElementsAre(AllOf(HasSubstr("2975 of 2975 chosen responses are cut at data.max_length 64"),
                        HasSubstr("half of the pairs are longer than 205 tokens"),
                        HasSubstr("raise data.max_length"))));
  report = GoodReport();
  report.cut_prompts = 2000;
  EXPECT_THAT(AdmissionWarnings("data.train", report),
              ElementsAre(HasSubstr("2000 of 2975 prompts are cut from the left")));
}

TEST(AdmissionNotesTest, WarnsOfRowsThatAreAlike) {
  AdmissionReport report = GoodReport();
  report.admitted = 24;
  report.dropped.clear();
  report.cut_chosen = report.cut_rejected = report.cut_prompts = 0;
  report.duplicates = 23;
  EXPECT_THAT(AdmissionWarnings("data.train", report),
              ElementsAre(HasSubstr("data.train: 23 of 24 pairs are duplicates")));
}

TEST(AdmissionNotesTest, WarnsOfManyRowsLeftOutWithTheWayOut) {
  AdmissionReport report = GoodReport();
  report.admitted = 2000;
  report.dropped = {{"no_rejected_response", 900}, {"identical_pair", 100}};
  EXPECT_THAT(
      AdmissionWarnings("data.train", report),
      ElementsAre(AllOf(HasSubstr("1000 of 3000 rows are left out: 900 no_rejected_response, 100"),
                        HasSubstr("train.jsonl:3"), HasSubstr("method sft"))));
}

TEST(AdmissionNotesTest, WarnsOfAnInstructionTunedModelWithoutItsTurns) {
  AdmissionReport report = GoodReport();
  report.model_has_turns = true;
  report.texts_without_turns = 2975;
  EXPECT_THAT(AdmissionWarnings("data.eval", report),
              ElementsAre(AllOf(HasSubstr("data.eval: 2975 of 2975 pairs are plain text"),
                                HasSubstr("has a chat template"), HasSubstr("data.template"))));
  report.model_has_turns = false;
  EXPECT_THAT(AdmissionWarnings("data.eval", report), IsEmpty());
  report.template_name = "gemma and none";
  EXPECT_THAT(AdmissionWarnings("data.eval", report), ElementsAre(HasSubstr("rendered alike")));
}

TEST(AdmissionNotesTest, WarnsOfPromptsThatRunIntoTheirResponses) {
  AdmissionReport report = GoodReport();
  report.unseparated = 2900;
  EXPECT_THAT(AdmissionWarnings("data.train", report),
              ElementsAre(HasSubstr("nothing separates prompt and response")));
}

TEST(AdmissionNotesTest, WarnsOfMarksAndScores) {
  AdmissionReport report = GoodReport();
  report.missing_bos = report.equal_scores = 2975;
  EXPECT_THAT(AdmissionWarnings("data.train", report),
              ElementsAre(HasSubstr("do not begin with <bos>"), HasSubstr("the same score")));
  report = GoodReport();
  report.lower_scores = 297;  // of 2975: noise of the judge
  EXPECT_THAT(AdmissionWarnings("data.train", report), IsEmpty());
  report.lower_scores = 0;
  report.repeated_prompts = 2000;
  EXPECT_THAT(AdmissionWarnings("data.train", report),
              ElementsAre(HasSubstr("2000 of 2975 pairs the response begins with the prompt")));
  report.repeated_prompts = 0;
  report.lower_scores = 298;
  EXPECT_THAT(AdmissionWarnings("data.train", report),
              ElementsAre(HasSubstr("298 of 2975 pairs the chosen response has a lower score")));
}

TEST(AdmissionNotesTest, NothingAdmittedCountsRowsAndSaysWhatToDo) {
  AdmissionReport report;
  report.rows = report.examples = 300;
  report.dropped = {{"no_rejected_response", 300}};
  report.dropped_examples = {"kto.jsonl:1: no_rejected_response"};
  EXPECT_THAT(NothingAdmitted("data.train", report),
              AllOf(HasSubstr("none of the 300 rows of data.train can be used: 300 "
                              "no_rejected_response; e.g. kto.jsonl:1"),
                    HasSubstr("rows with chosen and rejected")));
}

TEST(AdmissionNotesTest, PairsThatAreTrainedOnAreNamedAndSwappedOnesToo) {
  AdmissionReport report = GoodReport();
  report.shared = {7, 2, 9, {{4, 0}}};
  report.shared_eval_row = 4;
  report.shared_train_row = 0;
  EXPECT_THAT(
      AdmissionWarnings("data.eval", report),
      ElementsAre("data.eval: 7 of 2975 pairs are training data too, the first in "
                  "row 4 (row 0 of data.train; from 0), and for 2 of them the other response is "
                  "chosen: the evaluation measures what was memorised; take them out of "
                  "one of the two"));
}

}  // namespace
}  // namespace fpo::train
