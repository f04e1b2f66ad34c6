#include "train/checkpoint/serving_files.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using OrderedJson = nlohmann::ordered_json;

class ServingFilesTest : public ::testing::Test {
 protected:
  void Write(const ServingFiles& files) {
    const absl::Status status = WriteServingFiles(files, folder_.path(), &config_);
    ASSERT_TRUE(status.ok()) << status;
  }
  OrderedJson Json(const std::string& name) const {
    return OrderedJson::parse(Slurp(folder_ / name));
  }

  ScratchFolder folder_;
  OrderedJson config_ = {{"bos_token_id", 2}, {"eos_token_id", 1}, {"pad_token_id", 0}};
};

TEST_F(ServingFilesTest, ABaseModelGetsItsTurnEndAsASecondStopId) {
  Write({"turns", {107}, "# card\n"});
  EXPECT_EQ(Json("generation_config.json"),
            OrderedJson({{"bos_token_id", 2}, {"pad_token_id", 0}, {"eos_token_id", {1, 107}}}));
  EXPECT_EQ(config_["eos_token_id"], OrderedJson({1, 107}));
  EXPECT_EQ(Slurp(folder_ / "chat_template.jinja"), "turns");
  EXPECT_EQ(Slurp(folder_ / "README.md"), "# card\n");
}

TEST_F(ServingFilesTest, WhatTheSourceSaysOfGenerationStays) {
  folder_.Put("generation_config.json",
              R"({"do_sample": true, "eos_token_id": [1, 106], "top_k": 64})");
  Write({"", {106}, ""});
  EXPECT_EQ(Json("generation_config.json"),
            OrderedJson::parse(R"({"do_sample": true, "eos_token_id": [1, 106], "top_k": 64})"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "chat_template.jinja"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "README.md"));
}

TEST_F(ServingFilesTest, WithoutTurnsASingleIdStaysANumber) {
  Write({});
  EXPECT_EQ(config_["eos_token_id"], 1);
  EXPECT_EQ(Json("generation_config.json")["eos_token_id"], 1);
}

TEST_F(ServingFilesTest, ANestedConfigKeepsItsIdsInItsSection) {
  config_ = {{"text_config", {{"eos_token_id", 1}}}};
  Write({"", {106}, ""});
  EXPECT_EQ(config_, OrderedJson({{"text_config", {{"eos_token_id", {1, 106}}}}}));
}

TEST_F(ServingFilesTest, ANamedDefaultDoesNotOutliveTheTemplateThatReplacesIt) {
  folder_.Put("additional_chat_templates/default.jinja", "old");
  folder_.Put("additional_chat_templates/rag.jinja", "rag");
  Write({"new", {}, ""});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "additional_chat_templates/default.jinja"));
  EXPECT_EQ(Slurp(folder_ / "additional_chat_templates/rag.jinja"), "rag");
}

TEST_F(ServingFilesTest, OnlyTokenizerFilesThatAreMissingAreWritten) {
  folder_.Put("tokenizer_config.json", R"({"own": 1})");
  ServingFiles files;
  files.tokenizer = {{"tokenizer.json", "made"}, {"tokenizer_config.json", "made"}};
  Write(files);
  EXPECT_EQ(Slurp(folder_ / "tokenizer.json"), "made");
  EXPECT_EQ(Json("tokenizer_config.json")["own"], 1);
}

// Two places that disagree would be read differently by different programs.
TEST_F(ServingFilesTest, NoOtherPlaceKeepsTheOldTemplate) {
  folder_.Put("tokenizer_config.json", R"({"chat_template": "old", "eos_token": "<eos>"})");
  folder_.Put("chat_template.json", R"({"chat_template": "older"})");
  Write({"new", {}, ""});
  EXPECT_EQ(Json("tokenizer_config.json"), OrderedJson({{"eos_token", "<eos>"}}));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "chat_template.json"));
}

TEST_F(ServingFilesTest, ADamagedFileThatMustChangeIsNamed) {
  folder_.Put("tokenizer_config.json", "[]");
  const absl::Status status = WriteServingFiles({"new", {}, ""}, folder_.path(), &config_);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "tokenizer_config.json")) << status;
}

}  // namespace
}  // namespace fpo::train
