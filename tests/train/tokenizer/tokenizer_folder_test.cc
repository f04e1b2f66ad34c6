#include "train/tokenizer/tokenizer_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"
#include "tests/train/support/tokenizer_json_of.h"
#include "train/tokenizer/sentencepiece_model.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Json = nlohmann::json;

class TokenizerFolderTest : public ::testing::Test {
 protected:
  TokenizerFolderTest()
      : spec_(*ReadSentencePieceModel(TinyTokenizerBytes(), "t.model")),
        size_(static_cast<int32_t>(spec_.bpe.pieces.size())) {}
  void PutModel() { folder_.Put("tokenizer.model", TinyTokenizerBytes()); }
  void PutJson(const Json& json) { folder_.Put("tokenizer.json", json.dump()); }
  absl::StatusOr<TokenizerFiles> Read() { return ReadTokenizerFolder(folder_.path()); }
  // The message of the error, which must be of this code.
  std::string Error(absl::StatusCode code) {
    const auto files = Read();
    EXPECT_EQ(files.status().code(), code) << files.status();
    return std::string(files.status().message());
  }
  static const AddedToken* Find(const TokenizerFiles& files, const std::string& content) {
    for (const AddedToken& token : files.spec.added) {
      if (token.content == content) return &token;
    }
    return nullptr;
  }

  ScratchFolder folder_;
  TokenizerSpec spec_;
  int32_t size_;
};

TEST_F(TokenizerFolderTest, EitherFileWillDo) {
  EXPECT_THAT(Error(absl::StatusCode::kNotFound), HasSubstr("neither tokenizer.json nor"));
  PutModel();
  const auto model = Read();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(model->spec.file, HasSubstr("tokenizer.model"));
  PutJson(TokenizerJsonOf(spec_));
  const auto both = Read();
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_THAT(both->spec.file, HasSubstr("tokenizer.json"));
  EXPECT_THAT(both->warnings, IsEmpty());
  EXPECT_EQ(both->spec.bos, "<bos>");
  EXPECT_EQ(both->spec.pad, "<pad>");
}

TEST_F(TokenizerFolderTest, WhatWouldBePutAroundATextIsSaid) {
  PutModel();
  folder_.Put("tokenizer_config.json", R"({"add_bos_token": true, "add_eos_token": false})");
  EXPECT_THAT(Read()->warnings, IsEmpty());
  folder_.Put("tokenizer_config.json", R"({"add_bos_token": false, "add_eos_token": true})");
  EXPECT_THAT(Read()->warnings,
              ElementsAre(HasSubstr("add_bos_token to false"), HasSubstr("add_eos_token to true")));
}

TEST_F(TokenizerFolderTest, TwoTokenizersInOneFolderAreAnError) {
  PutModel();
  Json json = TokenizerJsonOf(spec_);
  auto& vocabulary = json["model"]["vocab"];
  const int a = vocabulary["x"], b = vocabulary["y"];
  vocabulary["x"] = b;
  vocabulary["y"] = a;
  PutJson(json);
  EXPECT_THAT(Error(absl::StatusCode::kInvalidArgument), HasSubstr("different tokenizers: 2"));
}

TEST_F(TokenizerFolderTest, ABrokenModelBesideAGoodJsonIsAWarning) {
  PutJson(TokenizerJsonOf(spec_));
  folder_.Put("tokenizer.model",
              "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n");
  const auto files = Read();
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(files->warnings, ElementsAre(HasSubstr("git lfs pull")));
}

TEST_F(TokenizerFolderTest, GitLfsPointersAreNamed) {
  for (const char* name : {"tokenizer.model", "tokenizer.json", "tokenizer_config.json"}) {
    folder_.Put(name, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n");
    const std::string why = Error(absl::StatusCode::kDataLoss);
    EXPECT_THAT(why, HasSubstr("git lfs pull"));
    if (std::string(name) == "tokenizer.json") PutJson(TokenizerJsonOf(spec_));
  }
}

TEST_F(TokenizerFolderTest, AddedTokensOfEveryFile) {
  PutModel();
  folder_.Put("added_tokens.json", Json{{"<|im_end|>", size_ + 1}, {"<|im_start|>", size_}}.dump());
  folder_.Put(
      "special_tokens_map.json",
      R"({"additional_special_tokens":["<|im_end|>"],"eos_token":{"content":"<|im_end|>"}})");
  const auto files = Read();
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(files->warnings, IsEmpty());
  ASSERT_NE(Find(*files, "<|im_start|>"), nullptr);
  EXPECT_EQ(Find(*files, "<|im_start|>")->id, size_);
  EXPECT_TRUE(Find(*files, "<|im_start|>")->normalized);
  EXPECT_FALSE(Find(*files, "<|im_end|>")->normalized);
  EXPECT_EQ(files->spec.eos, "<|im_end|>");
  EXPECT_EQ(files->spec.bos, "<bos>");
}

TEST_F(TokenizerFolderTest, TheConfigsTokensAndFlags) {
  PutJson(TokenizerJsonOf(spec_));
  folder_.Put("tokenizer_config.json",
              Json{{"added_tokens_decoder",
                    {{"4", {{"content", "<start_of_turn>"}, {"lstrip", true}, {"special", true}}},
                     {std::to_string(size_), {{"content", "<new>"}}},
                     {"10", {{"content", "<0x02>"}}}}},
                   {"bos_token", {{"__type", "AddedToken"}, {"content", "<bos>"}}},
                   {"extra_special_tokens", {{"image_token", "abc"}}},
                   {"pad_token", nullptr}}
                  .dump());
  const auto files = Read();
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_TRUE(Find(*files, "<start_of_turn>")->lstrip);
  EXPECT_EQ(Find(*files, "<new>")->id, size_);
  EXPECT_TRUE(Find(*files, "<new>")->normalized) << "as AddedToken() does for one not special";
  ASSERT_NE(Find(*files, "abc"), nullptr) << "a special token is one id wherever it stands";
  EXPECT_TRUE(Find(*files, "abc")->special);
}

TEST_F(TokenizerFolderTest, ContradictionsAreErrors) {
  PutModel();
  const auto with = [&](const char* name, const Json& json) {
    folder_.Put(name, json.dump());
    const std::string why = Error(absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(why, HasSubstr(name));
    folder_.Put(name, "{}");
    return why;
  };
  EXPECT_THAT(with("added_tokens.json", {{"abc", 7}}), HasSubstr("it is id"));
  EXPECT_THAT(with("added_tokens.json", {{"<x>", size_ + 1}}), HasSubstr("next free id"));
  EXPECT_THAT(with("tokenizer_config.json",
                   {{"added_tokens_decoder", {{"5", {{"content", "<|im_end|>"}}}}}}),
              HasSubstr("<end_of_turn>"));
  EXPECT_THAT(with("tokenizer_config.json", {{"eos_token", "<none>"}}), HasSubstr("eos_token"));
  EXPECT_THAT(with("tokenizer_config.json", {{"split_special_tokens", true}}),
              HasSubstr("split_special_tokens"));
}

TEST_F(TokenizerFolderTest, WhatTransformersWouldNotSeeIsWarnedOf) {
  PutModel();
  folder_.Put("tokenizer_config.json", R"({"added_tokens_decoder":{"0":{"content":"<pad>"}},
                                           "additional_special_tokens":["<lost>"]})");
  folder_.Put("added_tokens.json", Json{{"<x>", size_}}.dump());
  const auto files = Read();
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(Find(*files, "<x>")->id, size_);
  EXPECT_THAT(files->warnings, ElementsAre(HasSubstr("\"<x>\""), HasSubstr("\"<lost>\"")));
}

TEST_F(TokenizerFolderTest, BrokenCompanionsAreNamed) {
  PutModel();
  for (const auto& [name, text, why] :
       std::vector<std::tuple<const char*, const char*, const char*>>{
           {"tokenizer_config.json", "[]", "not a JSON object"},
           {"tokenizer_config.json", "{", "not JSON"},
           {"tokenizer_config.json", R"({"added_tokens_decoder":[]})", "added_tokens_decoder"},
           {"tokenizer_config.json", R"({"added_tokens_decoder":{"x":{"content":"a"}}})",
            "[\"x\"]"},
           {"tokenizer_config.json", R"({"added_tokens_decoder":{"-1":{"content":"a"}}})",
            "[\"-1\"]"},
           {"tokenizer_config.json", R"({"added_tokens_decoder":{"1":{}}})", "[\"1\"]"},
           {"added_tokens.json", R"({"<x>":"y"})", "<x>"},
           {"added_tokens.json", R"({"<x>":9000,"<y>":9000})", "of another token"},
           {"special_tokens_map.json", "7", "not a JSON object"}}) {
    folder_.Put(name, text);
    EXPECT_THAT(Error(absl::StatusCode::kDataLoss), HasSubstr(why));
    EXPECT_THAT(Error(absl::StatusCode::kDataLoss), HasSubstr(name));
    folder_.Put(name, "{}");
  }
}

TEST_F(TokenizerFolderTest, DamagedCompanionsNeverCrash) {
  PutModel();
  const Json config = {{"added_tokens_decoder",
                        {{"4", {{"content", "<start_of_turn>"}, {"lstrip", true}}},
                         {std::to_string(size_), {{"content", "<new>"}, {"special", true}}}}},
                       {"eos_token", {{"content", "<eos>"}}},
                       {"additional_special_tokens", {"<new>", "abc"}}};
  int read = 0;
  FuzzByMutation(config.dump(), 500, [&](const std::string& bytes) {
    folder_.Put("tokenizer_config.json", bytes);
    folder_.Put("special_tokens_map.json", bytes.substr(bytes.size() / 3));
    read += Read().ok();
  });
  EXPECT_LT(read, 500);
}

TEST_F(TokenizerFolderTest, NoEndAndNoWayToSpellAreErrors) {
  Json json = TokenizerJsonOf(spec_);
  json["model"]["unk_token"] = nullptr;
  json["model"]["byte_fallback"] = false;
  PutJson(json);
  EXPECT_THAT(Error(absl::StatusCode::kInvalidArgument), HasSubstr("would be lost"));
  json = Json::parse(
      R"({"model":{"type":"BPE","vocab":{"a":0,"<unk>":1},"merges":[],"unk_token":"<unk>"},
                         "decoder":{"type":"Fuse"}})");
  PutJson(json);
  EXPECT_THAT(Error(absl::StatusCode::kInvalidArgument), HasSubstr("no BOS or EOS"));
}

}  // namespace
}  // namespace fpo::train
