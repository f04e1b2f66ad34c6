#include "train/prepare/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/job/job_file.h"
#include "tests/train/support/heard_work.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"
#include "train/chat/turn_record.h"
#include "train/data/token_file.h"
#include "train/prepare/eval_sets.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {
namespace {

class PrepareTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.Put("model/tokenizer.model", TinyTokenizerBytes());
    job_.model.path = folder_ / "model";
    job_.data.train = {folder_.Put("train.jsonl", Rows(6))};
    job_.data.eval = {folder_.Put("eval.jsonl", Rows(2))};
    job_.method.name = "dpo";
  }
  static std::string Rows(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      absl::StrAppend(&text, R"({"id":"r)", i, R"(","prompt":"the )", i,
                      R"(","chosen":" abc","rejected":" x"})", "\n");
    }
    return text;
  }
  absl::StatusOr<PrepareSummary> Run() { return Prepare(job_, folder_ / "out"); }

  ScratchFolder folder_;
  JobConfig job_;
};

TEST_F(PrepareTest, WritesTheFourFiles) {
  const auto summary = Run();
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->train_pairs, 6);
  EXPECT_EQ(summary->eval_pairs, 2);
  const auto train = TokenFile::Open(folder_ / "out/train.safetensors");
  ASSERT_TRUE(train.ok()) << train.status();
  EXPECT_EQ(train->size(), 6);
  EXPECT_EQ(train->row_id(3), "r3");
  EXPECT_EQ(train->metadata().at("max_length"), "1024");
  const auto json = nlohmann::json::parse(Slurp(folder_ / "out/prepare.json"));
  EXPECT_EQ(json["train_pairs"], 6);
  EXPECT_EQ(json["tokens"]["eval"], summary->eval.tokens);
  EXPECT_EQ(json["digest"], summary->digest);
  const auto admission = nlohmann::json::parse(Slurp(folder_ / "out/admission.json"));
  EXPECT_EQ(admission["train"]["admitted"], 6);
  EXPECT_EQ(admission["eval"]["rows"], 2);
}

TEST_F(PrepareTest, TheSameDataGivesTheSameDigest) {
  const std::string digest = Run()->digest;
  EXPECT_EQ(Run()->digest, digest);
  job_.data.max_pairs = 5;
  EXPECT_NE(Run()->digest, digest);
}

TEST_F(PrepareTest, RowsBeyondMaxPairsAreNotRead) {
  job_.data.max_pairs = 5;
  const auto summary = Run();
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->train.admitted, 5);
  EXPECT_EQ(summary->train.rows, 5);
}

TEST_F(PrepareTest, TheFolderOfARunIsNotWrittenTo) {
  JobConfig run = job_;
  run.name = "long";
  run.output = folder_ / "out";
  folder_.Put("out/job.yaml", WriteJobYaml(run));
  folder_.Put("out/admission.json", "{}");
  const absl::Status status = Run().status();
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "holds the run of job \"long\"")) << status;
  EXPECT_EQ(Slurp(folder_ / "out/admission.json"), "{}");
}

TEST_F(PrepareTest, EvaluationOnTrainingDataIsWarnedOf) {
  const auto summary = Run();
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->eval.shared.pairs, 2);
  const auto eval = nlohmann::json::parse(Slurp(folder_ / "out/admission.json"))["eval"];
  EXPECT_EQ(eval["shared_pairs"], 2);
  EXPECT_EQ(eval["shared_swapped"], 0);
  EXPECT_EQ(eval["shared_prompts"], 2);
  const std::string warning =
      "data.eval: 2 of 2 pairs are training data too, the first in row 0 (row 0 of "
      "data.train; from 0): the evaluation measures what was memorised; take them out of one of "
      "the two";
  EXPECT_THAT(eval["warnings"], ::testing::Contains(warning));
  EXPECT_THAT(CheckInputs(job_, 1000).warnings, ::testing::Contains(warning));
}

TEST_F(PrepareTest, EachSetOfEvaluationDataHasAFileAndAReport) {
  const std::string first = Run()->digest;
  job_.data.eval_name = "near";
  job_.data.more_eval = {{"far", {folder_.Put("far.jsonl", Rows(9))}}};
  const auto summary = Run();
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->eval_pairs, 11);
  EXPECT_NE(summary->digest, first);
  const auto sets = OpenEvalSets(job_, folder_ / "out");
  ASSERT_TRUE(sets.ok()) << sets.status();
  ASSERT_EQ(sets->size(), 1u);
  EXPECT_EQ((*sets)[0].name, "far");
  EXPECT_EQ((*sets)[0].tokens.size(), 9);
  const auto admission = nlohmann::json::parse(Slurp(folder_ / "out/admission.json"));
  EXPECT_EQ(admission["eval"]["admitted"], 2);
  EXPECT_EQ(admission["eval.far"]["admitted"], 9);
  EXPECT_EQ(summary->more_eval[0].report.shared.pairs, 6) << "of the training data";
  job_.data.more_eval = {{"far", {folder_.Put("broken.jsonl", "{\"prompt\": 1}\n")}}};
  EXPECT_THAT(std::string(Run().status().message()), ::testing::HasSubstr("broken.jsonl"));
}

TEST_F(PrepareTest, WithoutEvaluationData) {
  job_.data.eval.clear();
  const auto summary = Run();
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(TokenFile::Open(folder_ / "out/eval.safetensors")->size(), 0);
}

TEST_F(PrepareTest, SftAndSaeTakeRowsWithoutRejected) {
  job_.data.train = {folder_.Put("sft.jsonl", R"({"prompt":"a","chosen":"b"})")};
  job_.data.eval.clear();
  const auto refused = Run();
  EXPECT_TRUE(absl::StrContains(refused.status().message(), "1 no_rejected_response"));
  job_.method.name = "sft";
  EXPECT_EQ(Run()->train_pairs, 1);
  job_.method.name = "fpo";
  job_.kind = "sae";
  job_.data.train = {folder_.Put("text.jsonl", R"({"text":"the abc"})")};
  EXPECT_EQ(Run()->train_pairs, 1);
}

// Pairs become two examples each; a row with a label is one.
TEST_F(PrepareTest, KtoTakesLabelsAndPairs) {
  job_.method.name = "kto";
  job_.data.train = {folder_.Put(
      "kto.jsonl", Rows(2) + R"({"prompt":"the cab","completion":" abc","label":false})" + "\n" +
                       R"({"prompt":"the cat","completion":" abc"})" + "\n")};
  const auto summary = Run();
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->train_pairs, 5);
  const auto train = TokenFile::Open(folder_ / "out/train.safetensors");
  ASSERT_TRUE(train.ok()) << train.status();
  EXPECT_TRUE(train->has_labels());
  EXPECT_TRUE(train->has_rejected());
  EXPECT_TRUE(train->pair(0).desirable);
  EXPECT_FALSE(train->pair(1).desirable);
  EXPECT_FALSE(train->pair(4).desirable);
  EXPECT_EQ(train->pair(0).rejected, train->pair(2).chosen) << "of the other prompt, same label";
  const auto admission = nlohmann::json::parse(Slurp(folder_ / "out/admission.json"));
  EXPECT_EQ(admission["train"]["labels"]["desirable"], 2);
  EXPECT_EQ(admission["train"]["labels"]["undesirable"], 3);
  EXPECT_EQ(admission["train"]["dropped"]["no_label"], 1);
  const auto said = ::testing::Contains(::testing::HasSubstr("2 desirable and 3 undesirable"));
  EXPECT_THAT(summary->warnings, said);
  job_.method.desirable_weight = 1.5;
  EXPECT_THAT(Run()->warnings, ::testing::Not(said));
}

TEST_F(PrepareTest, KtoNeedsTwoPrompts) {
  job_.method.name = "kto";
  job_.data.eval = {folder_.Put("one.jsonl", Rows(1))};
  const absl::Status status = Run().status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("data.eval: kto estimates"));
}

TEST_F(PrepareTest, FailureLeavesNoCompleteFolder) {
  ASSERT_TRUE(Run().ok());
  job_.data.train = {folder_.Put("bad.jsonl", "{}\n{}\n")};
  const auto failed = Run();
  EXPECT_TRUE(absl::IsInvalidArgument(failed.status())) << failed.status();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/prepare.json"));
}

TEST_F(PrepareTest, NamesWhatIsMissing) {
  job_.data.train = {folder_ / "none.jsonl"};
  EXPECT_TRUE(absl::IsNotFound(Run().status()));
  job_.data.train = {folder_.Put("empty.jsonl", "")};
  EXPECT_TRUE(absl::StrContains(Run().status().message(), "no rows in"));
  job_.data.train = {folder_.Put("x.jsonl", Rows(1))};
  job_.model.path = folder_ / "elsewhere";
  EXPECT_TRUE(absl::StrContains(Run().status().message(), "elsewhere"));
}

TEST_F(PrepareTest, LimitsThatLeaveNoResponse) {
  job_.data.max_prompt_length = job_.data.max_length;
  const auto equal = Run();
  EXPECT_TRUE(absl::StrContains(equal.status().message(), "max_prompt_length")) << equal.status();
}

constexpr char kConfig[] = R"({"model_type":"gemma2","num_hidden_layers":2,"hidden_size":8,
    "intermediate_size":16,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":4,
    "vocab_size":)";

std::string IdRow(int id) {
  return absl::StrCat(R"({"prompt_ids":[2,)", id, R"(],"chosen_ids":[5,1],"rejected_ids":[6,1]})",
                      "\n");
}

TEST_F(PrepareTest, RowsOfIdsNeedNoTokenizer) {
  std::filesystem::remove(folder_ / "model/tokenizer.model");
  folder_.Put("model/config.json", absl::StrCat(kConfig, "61}"));
  job_.data.train = {folder_.Put("ids.jsonl", IdRow(60) + IdRow(61) + IdRow(7))};
  job_.data.eval.clear();
  for (const char* name : {"auto", "gemma", "none"}) {
    job_.data.template_name = name;
    const auto summary = Run();
    ASSERT_TRUE(summary.ok()) << name << summary.status();
    EXPECT_EQ(summary->train_pairs, 2);
    EXPECT_EQ(summary->train.dropped.at("id_outside_vocabulary"), 1);
    EXPECT_EQ(summary->train.missing_bos, 0);
    EXPECT_EQ(summary->train.missing_terminators, 0);
  }
  EXPECT_EQ(TokenFile::Open(folder_ / "out/train.safetensors")->metadata().at("tokenizer"), "none");
  job_.data.train = {folder_.Put("mixed.jsonl", IdRow(7) + Rows(1))};
  const auto text = Run();
  EXPECT_TRUE(absl::IsNotFound(text.status())) << text.status();
  EXPECT_TRUE(absl::StrContains(text.status().message(), "neither tokenizer.json nor"))
      << text.status();
}

// For the model that will be exported.
TEST_F(PrepareTest, RecordsHowConversationsWereRendered) {
  const auto record = [&] {
    const auto summary = Run();
    EXPECT_TRUE(summary.ok()) << summary.status();
    return ReadTurnRecord(folder_ / "out").value().value_or(TurnRecord{"no file", "", {}});
  };
  EXPECT_EQ(record(), TurnRecord{}) << "strings for a model without a template have no turns";
  const std::string chat =
      R"({"prompt":[{"role":"user","content":"hi"}],"chosen":[{"role":"assistant","content":"a"}],)"
      R"("rejected":[{"role":"assistant","content":"b"}]})";
  job_.data.train = {folder_.Put("chat.jsonl", chat)};
  job_.data.eval.clear();
  const Tokenizer tokenizer = *Tokenizer::Open(folder_ / "model");
  const TurnRecord gemma = record();
  EXPECT_EQ(gemma.turns, "gemma");
  EXPECT_EQ(gemma.ends, std::vector<int32_t>{*tokenizer.IdOf("<end_of_turn>")});
  EXPECT_THAT(gemma.jinja, ::testing::HasSubstr("<start_of_turn>"));
  job_.data.template_name = "halo";
  EXPECT_THAT(record().jinja, ::testing::HasSubstr("'\\n<|'"));
  EXPECT_TRUE(record().ends.empty());
  constexpr char kOwn[] =
      "{% for m in messages %}[{{ m.role }}]{{ m.content }}<end_of_turn>{% endfor %}"
      "{% if add_generation_prompt %}[assistant]{% endif %}";
  job_.data.template_name = folder_.Put("mine.jinja", kOwn);
  EXPECT_EQ(record(), (TurnRecord{"mine.jinja", kOwn, gemma.ends}));
  folder_.Put("model/chat_template.jinja", kOwn);
  job_.data.template_name = "auto";
  EXPECT_EQ(record(), (TurnRecord{"own", "", gemma.ends})) << "the folder has it";
}

TEST_F(PrepareTest, IdsOfAddedTokensAreAdmitted) {
  const int32_t size = Tokenizer::Open(folder_ / "model")->size();
  const auto put = [&](const char* name, const char* json) {
    folder_.Put("model/added_tokens.json", absl::StrCat(R"({")", name, R"(":)", size, "}"));
    folder_.Put("model/config.json", absl::StrCat(kConfig, json, "}"));
  };
  put("<|im_start|>", std::to_string(size + 8).c_str());
  job_.data.train = {folder_.Put(
      "rows.jsonl", IdRow(size) + IdRow(size + 1) +
                        R"({"prompt":"<|im_start|>user","chosen":" abc","rejected":" x"})")};
  job_.data.eval.clear();
  const auto summary = Run();
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->train_pairs, 2) << "an id that no token has is refused";
  const auto file = TokenFile::Open(folder_ / "out/train.safetensors");
  EXPECT_EQ(file->pair(1).prompt[1], size);
  put("<|im_start|>", std::to_string(size).c_str());
  const auto small = Run();
  EXPECT_TRUE(absl::IsInvalidArgument(small.status())) << small.status();
  EXPECT_TRUE(absl::StrContains(small.status().message(), absl::StrCat("has ", size + 1, " ids")));
  // Gemma 3's text models name their image token behind the embedding.
  put("<image_soft_token>", std::to_string(size).c_str());
  const auto image = Run();
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->train_pairs, 1);
}

TEST_F(PrepareTest, WarnsOfTheModelsTokenizerFiles) {
  EXPECT_TRUE(Run()->warnings.empty());
  folder_.Put("model/tokenizer_config.json", R"({"additional_special_tokens":["<lost>"]})");
  const auto summary = Run();
  ASSERT_EQ(summary->warnings.size(), 1u);
  EXPECT_TRUE(absl::StrContains(summary->warnings[0], "<lost>"));
}

TEST_F(PrepareTest, ALongPromptIsCutAndCounted) {
  job_.data.max_length = 30;
  job_.data.max_prompt_length = 20;
  job_.data.train = {
      folder_.Put("long.jsonl", absl::StrCat(R"({"prompt":")", std::string(500, 'q'),
                                             R"(","chosen":" abc","rejected":" x"})"))};
  const auto summary = Run();
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->train.cut_prompts, 1);
  EXPECT_EQ(TokenFile::Open(folder_ / "out/train.safetensors")->pair(0).prompt.size(), 20u);
}

TEST_F(PrepareTest, ReportsProgress) {
  job_.data.train = {folder_.Put("many.jsonl", Rows(1000))};
  const HeardWork heard;
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(heard.texts(), ::testing::IsSupersetOf({"tokenising data.train: 256 rows",
                                                      "tokenising data.train: 1000 rows",
                                                      "tokenising data.eval: 2 rows"}));
}

TEST_F(PrepareTest, RealPairsWithGemmasTokenizer) {
  const std::string model = SharedData("tokenizer/gemma2/gemma2_rebuilt.spm.model");
  if (model.empty()) GTEST_SKIP() << "shared test data is absent (FPO_SHARED_DATA)";
  std::filesystem::create_symlink(model, folder_ / "tokenizer.model");
  job_.model.path = folder_.path();
  job_.data.train = {SharedData("prefs/human_pairs.jsonl.gz")};
  job_.data.eval.clear();
  const auto summary = Run();
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->train.rows, 4024);
  EXPECT_GT(summary->train_pairs, 3900);
  const auto file = TokenFile::Open(folder_ / "out/train.safetensors");
  ASSERT_TRUE(file.ok());
  for (int64_t i = 0; i < file->size(); ++i) {
    const TokenPairView pair = file->pair(i);
    ASSERT_EQ(pair.prompt[0], 2);
    ASSERT_LE(pair.prompt.size(), 512u);
    ASSERT_LE(file->LongestSequence(i), 1024);
  }
}

TEST_F(PrepareTest, ACheckOfTheFirstRowsSaysWhatARunWould) {
  InputCheck check = CheckInputs(job_, 4);
  EXPECT_TRUE(check.problems.empty()) << check.problems[0].message;
  EXPECT_EQ(check.rows, 6);  // four of six, and both of the evaluation
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
  job_.data.eval = {folder_.Put("broken.jsonl", "{\"prompt\": 1}\n")};
  job_.data.train = {folder_.Put("same.jsonl", R"({"prompt":"a","chosen":"b","rejected":"b"})")};
  check = CheckInputs(job_, 4);
  ASSERT_EQ(check.problems.size(), 2u);
  EXPECT_EQ(check.problems[0].key, "data.train");
  EXPECT_THAT(check.problems[0].message, ::testing::HasSubstr("identical_pair"));
  EXPECT_EQ(check.problems[1].key, "data.eval");
  EXPECT_THAT(check.problems[1].message, ::testing::HasSubstr("malformed"));
}

TEST_F(PrepareTest, ACheckOfAJobWithoutTrainingDataHasNothingToSay) {
  job_.data.train.clear();
  EXPECT_EQ(CheckInputs(job_, 4).problems.size(), 1u);
  for (const char* kind : {"generate", "judge"}) {
    job_.kind = kind;
    EXPECT_TRUE(CheckInputs(job_, 4).problems.empty()) << kind;
  }
}

TEST_F(PrepareTest, ACheckNamesTheKeyThatIsAtFault) {
  job_.data.template_name = folder_ / "none.jinja";
  EXPECT_EQ(CheckInputs(job_, 4).problems.at(0).key, "data.template");
  folder_.Put("model/tokenizer.model", "no model");
  EXPECT_EQ(CheckInputs(job_, 4).problems.at(0).key, "model.path");
}

}  // namespace
}  // namespace fpo::train
