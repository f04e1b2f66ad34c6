#include "train/tokenizer/tokenizer_json.h"

#include <functional>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"
#include "tests/train/support/tokenizer_json_of.h"
#include "train/tokenizer/sentencepiece_model.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

Json Tiny() { return TokenizerJsonOf(*ReadSentencePieceModel(TinyTokenizerBytes(), "t.model")); }

absl::StatusOr<TokenizerSpec> Read(const Json& json) {
  return ReadTokenizerJson(json.dump(), "t.json");
}

TEST(TokenizerJsonTest, SaysWhatTheModelSays) {
  const auto model = ReadSentencePieceModel(TinyTokenizerBytes(), "t.model");
  const auto json = Read(Tiny());
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->bpe.pieces, model->bpe.pieces);
  ASSERT_EQ(json->bpe.merges.size(), model->bpe.merges.size());
  EXPECT_EQ(json->bpe.merges[5].result, model->bpe.merges[5].result);
  EXPECT_EQ(json->bpe.unknown, 3);
  EXPECT_TRUE(json->bpe.byte_fallback && json->bpe.fuse_unknown && !json->bpe.ignore_merges);
  EXPECT_EQ(json->added.size(), model->added.size());
  EXPECT_EQ(json->normalizer[0].content, "▁");
  EXPECT_EQ(json->split_behind, " ");
  EXPECT_TRUE(json->decodes_bytes);
}

// What may be in a file that is read.
TEST(TokenizerJsonTest, ReadsTheFormsOfOlderAndNewerFiles) {
  for (const auto& [path, value] : std::vector<std::pair<std::string, Json>>{
           {"/pre_tokenizer", nullptr},
           {"/normalizer", nullptr},
           {"/normalizer", {{"type", "Sequence"}, {"normalizers", Json::array()}}},
           {"/post_processor", {{"type", "TemplateProcessing"}, {"single", Json::array()}}},
           {"/truncation", {{"max_length", 8}}},
           {"/padding", {{"length", 8}}},
           {"/model/dropout", 0.0},
           {"/model/end_of_word_suffix", ""},
           {"/model/unk_token", nullptr},
           {"/added_tokens", Json::array()}}) {
    Json json = Tiny();
    json[Json::json_pointer(path)] = value;
    const auto spec = Read(json);
    EXPECT_TRUE(spec.ok()) << path << ": " << spec.status();
  }
  Json json = Tiny();
  json["model"]["merges"] = {"a b", "ab c"};
  EXPECT_EQ(Read(json)->bpe.merges.size(), 2u);
}

// A tokenizer.json of Qwen's kind with few pieces.
Json ByteLevelJson() {
  Json json = Tiny();
  json["normalizer"] = {{"type", "NFC"}};
  const std::string pattern =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
      R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
  json["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Split"},
         {"pattern", {{"Regex", pattern}}},
         {"behavior", "Isolated"},
         {"invert", false}},
        {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
  json["post_processor"] = {{"type", "ByteLevel"}};
  json["decoder"] = {{"type", "ByteLevel"}};
  return json;
}

TEST(TokenizerJsonTest, ByteLevelPartsAreRead) {
  const auto spec = Read(ByteLevelJson());
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_TRUE(spec->nfc);
  EXPECT_EQ(spec->word_digits, 1);
  const std::string at = "/pre_tokenizer/pretokenizers/";
  for (const auto& [path, value, found] : std::vector<std::tuple<std::string, Json, std::string>>{
           {at + "0/pattern", {{"Regex", "\\s+"}}, "pattern of pre_tokenizer"},
           {at + "0/behavior", "Removed", "pre_tokenizer"},
           {at + "1/use_regex", true, "pre_tokenizer"},
           {at + "1/add_prefix_space", true, "pre_tokenizer"},
           {"/decoder", Tiny()["decoder"], "decoder"}}) {
    Json json = ByteLevelJson();
    json[Json::json_pointer(path)] = value;
    const auto other = Read(json);
    EXPECT_TRUE(absl::IsInvalidArgument(other.status())) << path << ": " << other.status();
    EXPECT_TRUE(absl::StrContains(other.status().message(), found)) << other.status();
  }
}

TEST(TokenizerJsonTest, ComponentsThatAreNotReadAreNamed) {
  const Json byte_level = {{"type", "ByteLevel"}};
  for (const auto& [path, value, found] : std::vector<std::tuple<std::string, Json, std::string>>{
           {"/version", "2.0", "version"},
           {"/model/type", "Unigram", "Unigram"},
           {"/model/type", "WordPiece", "WordPiece"},
           {"/model", nullptr, "model is null"},
           {"/model/dropout", 0.1, "dropout"},
           {"/model/continuing_subword_prefix", "##", "continuing_subword_prefix"},
           {"/model/end_of_word_suffix", "</w>", "end_of_word_suffix"},
           {"/normalizer", {{"type", "NFKC"}}, "NFKC"},
           {"/normalizer",
            {{"type", "Sequence"}, {"normalizers", {{{"type", "Prepend"}}}}},
            "Prepend"},
           {"/normalizer/pattern", {{"Regex", " "}}, "Regex"},
           {"/pre_tokenizer", byte_level, "ByteLevel"},
           {"/pre_tokenizer/behavior", "Isolated", "pre_tokenizer"},
           {"/pre_tokenizer/invert", true, "pre_tokenizer"},
           {"/pre_tokenizer/pattern", {{"Regex", "\\s"}}, "pre_tokenizer"},
           {"/post_processor", {{"type", "BertProcessing"}}, "BertProcessing"},
           {"/decoder", byte_level, "ByteLevel where pre_tokenizer has it"},
           {"/decoder", nullptr, "decoder is null"},
           {"/decoder", {{"type", "Metaspace"}}, "Metaspace"},
           {"/decoder/decoders/1", {{"type", "Strip"}}, "Strip"},
           {"/added_tokens/0/single_word", true, "single_word"}}) {
    Json json = Tiny();
    json[Json::json_pointer(path)] = value;
    const auto spec = Read(json);
    EXPECT_TRUE(absl::IsInvalidArgument(spec.status())) << path << ": " << spec.status();
    EXPECT_TRUE(absl::StrContains(spec.status().message(), found)) << spec.status();
    EXPECT_TRUE(absl::StrContains(spec.status().message(), "t.json")) << spec.status();
  }
}

TEST(TokenizerJsonTest, BrokenFieldsAreNamed) {
  for (const auto& [path, value, found] : std::vector<std::tuple<std::string, Json, std::string>>{
           {"/model/vocab/a", -1, "model.vocab"},
           {"/model/vocab/a", 3'000'000, "model.vocab"},
           {"/model/vocab/a", "x", "model.vocab"},
           {"/model/vocab/a", 400, "no gaps"},
           {"/model/vocab/a", 0, "the id 0"},
           {"/model/vocab", Json::array(), "no model.vocab"},
           {"/model/vocab", Json::object(), "no pieces"},
           {"/model/merges", nullptr, "no model.merges"},
           {"/model/merges/1", {"a", "b", "c"}, "model.merges[1] of 3"},
           {"/model/merges/1", "ab", "model.merges[1] of 1"},
           {"/model/merges/1", {"a", "nothing"}, "no \"nothing\""},
           {"/model/merges/1", {"c", "c"}, "no \"cc\""},
           {"/model/merges/1", 7, "model.merges[1]"},
           {"/model/unk_token", "<none>", "unk_token"},
           {"/model/unk_token", 3, "unk_token"},
           {"/model/byte_fallback", 1, "byte_fallback"},
           {"/normalizer/content", 5, "normalizer"},
           {"/normalizer/pattern/String", "", "normalizer"},
           {"/decoder/decoders", 5, "decoder.decoders"},
           {"/added_tokens", 5, "added_tokens"},
           {"/added_tokens/2", 5, "added_tokens[2]"},
           {"/added_tokens/2/id", "2", "added_tokens[2]"},
           {"/added_tokens/2/content", nullptr, "added_tokens[2]"}}) {
    Json json = Tiny();
    json[Json::json_pointer(path)] = value;
    const auto spec = Read(json);
    EXPECT_TRUE(absl::IsDataLoss(spec.status())) << path << ": " << spec.status();
    EXPECT_TRUE(absl::StrContains(spec.status().message(), found)) << spec.status();
    EXPECT_TRUE(absl::StrContains(spec.status().message(), "t.json")) << spec.status();
  }
  Json json = Tiny();
  json["added_tokens"][2]["id"] = 17;
  EXPECT_TRUE(absl::IsInvalidArgument(Read(json).status()));
  json = Tiny();
  json["model"]["vocab"][std::string(2000, 'a')] = json["model"]["vocab"].size();
  EXPECT_TRUE(absl::StrContains(Read(json).status().message(), "2000 bytes"));
  const std::string twice = R"({"model":{"type":"BPE","vocab":{"a":0,"a":1},"merges":[]}})";
  EXPECT_TRUE(absl::StrContains(ReadTokenizerJson(twice, "t.json").status().message(), "twice"));
  EXPECT_TRUE(absl::IsDataLoss(ReadTokenizerJson("[]", "t.json").status()));
}

// Every field of the file in turn replaced by something of another type.
TEST(TokenizerJsonTest, NoFieldOfAnotherTypeCrashes) {
  Json json = Tiny();
  json["model"]["vocab"] = {{"<unk>", 0}, {"a", 1}, {"b", 2}, {"ab", 3}};
  json["model"]["merges"] = Json::array({Json::array({"a", "b"})});
  json["added_tokens"] = Json::array({{{"id", 0}, {"content", "<unk>"}, {"special", true}}});
  ASSERT_TRUE(Read(json).ok());
  const Json flat = json.flatten();
  for (const auto& [leaf, value] : flat.items()) {
    for (const Json& other : {Json(), Json(1), Json("x"), Json::array(), Json::object(), Json(true),
                              Json(1.5), Json({{"type", "Sequence"}})}) {
      for (std::string at = leaf; !at.empty(); at = at.substr(0, at.rfind('/'))) {
        Json changed = json;
        changed[Json::json_pointer(at)] = other;
        (void)Read(changed);
      }
    }
  }
}

TEST(TokenizerJsonTest, DamagedFilesNeverCrash) {
  int read = 0;
  FuzzByMutation(Tiny().dump(), 3000, [&](const std::string& bytes) {
    read += ReadTokenizerJson(bytes, "t.json").ok();
  });
  EXPECT_LT(read, 3000);
}

}  // namespace
}  // namespace fpo::train
