#include "train/runs/prepare_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"

namespace fpo::train {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PreparationEvents final : public EventSink {
 public:
  void Emit(TrainEvent event) override {
    const bool warns = event.kind == EventKind::kWarning;
    ASSERT_TRUE(warns || event.kind == EventKind::kPhase);
    texts.push_back(absl::StrCat(warns ? "warning " : "phase ", event.message));
  }
  std::vector<std::string> texts;
};

class PrepareDataTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.Put("model/tokenizer.model", TinyTokenizerBytes());
    job_.model.path = folder_ / "model";
    job_.method.name = "dpo";
  }
  std::string Rows(const std::string& name, int different, int same) {
    std::string text;
    for (int i = 0; i < different + same; ++i) {
      absl::StrAppend(&text, R"({"prompt":"the )", std::min(i, different),
                      R"(","chosen":" abc","rejected":" x"})", "\n");
    }
    return folder_.Put(name, text);
  }

  ScratchFolder folder_;
  JobConfig job_;
  PreparationEvents events_;
};

TEST_F(PrepareDataTest, SaysInOneLineAnInputWhatWasAdmitted) {
  job_.data.train = {Rows("train.jsonl", 6, 0)};
  job_.data.eval = {Rows("eval.jsonl", 2, 0)};
  ASSERT_TRUE(PrepareData(job_, folder_ / "out", events_).ok());
  EXPECT_THAT(events_.texts,
              ElementsAre(AllOf(HasSubstr("phase data.train: 6 rows read, 6 pairs admitted, 0 left "
                                          "out; template none (auto: strings, and the model's "
                                          "folder has no chat template)"),
                                HasSubstr("prompt 4/4/4 chosen 2/2/2 rejected 3/3/3")),
                          HasSubstr("phase data.eval: 2 rows read"),
                          HasSubstr("warning data.eval: 2 of 2 pairs are training data too")));
}

TEST_F(PrepareDataTest, WarnsOfWhatIsWrongAndKeepsItInTheReport) {
  job_.data.train = {Rows("train.jsonl", 1, 23)};
  ASSERT_TRUE(PrepareData(job_, folder_ / "out", events_).ok());
  ASSERT_EQ(events_.texts.size(), 2u);
  EXPECT_THAT(events_.texts[1], HasSubstr("warning data.train: 22 of 24 pairs are duplicates"));
  const auto admission = nlohmann::json::parse(Slurp(folder_ / "out/admission.json"));
  EXPECT_THAT(admission["train"]["warnings"][0].get<std::string>(), HasSubstr("22 of 24 pairs"));
}

TEST_F(PrepareDataTest, AnInstructionTunedModelWithPlainRowsIsAWarning) {
  folder_.Put("model/chat_template.jinja",
              "<bos>{% for m in messages %}[{{ m.role }}]{{ m.content }}<end_of_turn>{% endfor %}"
              "{% if add_generation_prompt %}[assistant]{% endif %}");
  job_.data.train = {Rows("train.jsonl", 6, 0)};
  job_.data.template_name = "none";
  ASSERT_TRUE(PrepareData(job_, folder_ / "out", events_).ok());
  ASSERT_EQ(events_.texts.size(), 2u);
  EXPECT_THAT(events_.texts[1], HasSubstr("6 of 6 pairs are plain text without chat turns"));
  events_.texts.clear();
  job_.data.template_name = "auto";
  ASSERT_TRUE(PrepareData(job_, folder_ / "out2", events_).ok());
  EXPECT_THAT(events_.texts, ElementsAre(HasSubstr(
                                 "template own (auto: strings, and the model's folder has a chat "
                                 "template; the model's own template of chat_template.jinja)")));
}

TEST_F(PrepareDataTest, AConversationWithoutASecondResponseIsOneRowLeftOut) {
  std::string rows;
  for (int i = 0; i < 300; ++i) {
    absl::StrAppend(&rows, R"({"messages":[{"role":"user","content":"a"},)",
                    R"({"role":"assistant","content":"b"},{"role":"user","content":"c"},)",
                    R"({"role":"assistant","content":"d"}],"label":true})", "\n");
  }
  job_.data.train = {folder_.Put("kto.jsonl", rows)};
  const auto prepared = PrepareData(job_, folder_ / "out", events_);
  EXPECT_THAT(std::string(prepared.status().message()),
              AllOf(HasSubstr("none of the 300 rows of data.train can be used: 300 "
                              "no_rejected_response; e.g. kto.jsonl:1"),
                    HasSubstr("use method sft")));
}

}  // namespace
}  // namespace fpo::train
