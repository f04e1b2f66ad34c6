#include "train/tokenizer/tokenizer_json_writer.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"
#include "train/tokenizer/sentencepiece_model.h"
#include "train/tokenizer/tokenizer.h"
#include "train/tokenizer/tokenizer_folder.h"
#include "train/tokenizer/tokenizer_json.h"

namespace fpo::train {
namespace {

using ::testing::IsEmpty;
using Json = nlohmann::json;

TokenizerSpec TinySpec() { return *ReadSentencePieceModel(TinyTokenizerBytes(), "t.model"); }

Json Written(const TokenizerSpec& spec) { return Json::parse(TokenizerJsonText(spec)); }

void ExpectEqual(const TokenizerSpec& a, const TokenizerSpec& b) {
  EXPECT_EQ(a.bpe.pieces, b.bpe.pieces);
  ASSERT_EQ(a.bpe.merges.size(), b.bpe.merges.size());
  for (size_t i = 0; i < a.bpe.merges.size(); ++i) {
    const BpeMerge &x = a.bpe.merges[i], &y = b.bpe.merges[i];
    EXPECT_TRUE(x.left == y.left && x.right == y.right && x.result == y.result) << i;
  }
  EXPECT_EQ(a.bpe.unknown, b.bpe.unknown);
  EXPECT_EQ(a.bpe.byte_fallback, b.bpe.byte_fallback);
  EXPECT_EQ(a.bpe.fuse_unknown, b.bpe.fuse_unknown);
  EXPECT_EQ(a.bpe.ignore_merges, b.bpe.ignore_merges);
  EXPECT_EQ(a.split_behind, b.split_behind);
  EXPECT_EQ(a.decodes_bytes, b.decodes_bytes);
  ASSERT_EQ(a.added.size(), b.added.size());
  for (size_t i = 0; i < a.added.size(); ++i) {
    const AddedToken &x = a.added[i], &y = b.added[i];
    EXPECT_EQ(x.content, y.content);
    EXPECT_EQ(x.id, y.id);
    EXPECT_EQ(x.special, y.special) << x.content;
    EXPECT_TRUE(x.lstrip == y.lstrip && x.rstrip == y.rstrip && x.normalized == y.normalized);
  }
  for (const auto member : {&TokenizerSpec::normalizer, &TokenizerSpec::on_decoding}) {
    ASSERT_EQ((a.*member).size(), (b.*member).size());
    for (size_t i = 0; i < (a.*member).size(); ++i) {
      EXPECT_EQ((a.*member)[i].pattern, (b.*member)[i].pattern);
      EXPECT_EQ((a.*member)[i].content, (b.*member)[i].content);
    }
  }
}

TEST(TokenizerJsonWriterTest, IsReadAsTheSameTokenizer) {
  const TokenizerSpec spec = TinySpec();
  const auto again = ReadTokenizerJson(TokenizerJsonText(spec), "tokenizer.json");
  ASSERT_TRUE(again.ok()) << again.status();
  ExpectEqual(spec, *again);
}

// Every component that a tokenizer.json may have, as the golden ones of the library do.
TEST(TokenizerJsonWriterTest, WhatAnotherFileSaysIsWrittenAgain) {
  const char* source = std::getenv("FPO_SOURCE_DIR");
  std::ifstream file(std::string(source ? source : ".") + "/tests/golden/tiny_tokenizers.jsonl");
  int tokenizers = 0;
  for (std::string line; std::getline(file, line); ++tokenizers) {
    const auto spec = ReadTokenizerJson(Json::parse(line)["tokenizer"].dump(), "tokenizer.json");
    ASSERT_TRUE(spec.ok()) << spec.status();
    const auto again = ReadTokenizerJson(TokenizerJsonText(*spec), "tokenizer.json");
    ASSERT_TRUE(again.ok()) << again.status();
    ExpectEqual(*spec, *again);
  }
  EXPECT_GE(tokenizers, 15);
}

TEST(TokenizerJsonWriterTest, PutsBosInFront) {
  TokenizerSpec spec = TinySpec();
  const Json processor = Written(spec)["post_processor"];
  EXPECT_EQ(processor["type"], "TemplateProcessing");
  EXPECT_EQ(processor["single"][0]["SpecialToken"]["id"], "<bos>");
  EXPECT_EQ(processor["special_tokens"]["<bos>"]["ids"], Json({2}));
  spec.bos.reset();
  EXPECT_TRUE(Written(spec)["post_processor"].is_null());
}

// tokenizers before 0.20 reads "a b" only; a piece with a space has no such form.
TEST(TokenizerJsonWriterTest, MergesAreInTheOldestFormThatCanNameThem) {
  TokenizerSpec spec = TinySpec();
  const Json older = Written(spec)["model"]["merges"][1];
  EXPECT_EQ(older, "a b");
  for (const char* odd : {"a ", "#version"}) {
    TokenizerSpec changed = spec;
    auto& pieces = changed.bpe.pieces;
    pieces.push_back(odd);
    pieces.push_back(std::string(odd) + "b");
    const auto id = static_cast<int32_t>(pieces.size()) - 2;
    const int32_t b = changed.bpe.merges[1].right;
    changed.bpe.merges.push_back({id, b, id + 1});
    EXPECT_EQ(Written(changed)["model"]["merges"].back(), Json({odd, "b"}));
    const auto again = ReadTokenizerJson(TokenizerJsonText(changed), "tokenizer.json");
    ASSERT_TRUE(again.ok()) << again.status();
    ExpectEqual(changed, *again);
  }
}

TEST(TokenizerJsonWriterTest, PiecesWithQuotesAndControlCharacters) {
  TokenizerSpec spec = TinySpec();
  for (const char* piece : {"\"x\\", "\x01\x1F", "\x7F", "é👍", "\r\n\b"}) {
    spec.bpe.pieces.push_back(piece);
  }
  const auto again = ReadTokenizerJson(TokenizerJsonText(spec), "tokenizer.json");
  ASSERT_TRUE(again.ok()) << again.status();
  ExpectEqual(spec, *again);
}

TEST(TokenizerJsonWriterTest, TheConfigNamesTheSpecialTokens) {
  TokenizerSpec spec = TinySpec();
  const Json config = Json::parse(TokenizerConfigText(spec));
  EXPECT_EQ(config["tokenizer_class"], "GemmaTokenizer");
  EXPECT_EQ(config["add_bos_token"], true);
  EXPECT_EQ(config["add_eos_token"], false);
  EXPECT_EQ(config["bos_token"], "<bos>");
  EXPECT_EQ(config["eos_token"], "<eos>");
  EXPECT_EQ(config["pad_token"], "<pad>");
  EXPECT_EQ(config["unk_token"], "<unk>");
  EXPECT_EQ(config["additional_special_tokens"], Json({"<start_of_turn>", "<end_of_turn>"}));
  EXPECT_EQ(config["added_tokens_decoder"]["5"]["content"], "<end_of_turn>");
  EXPECT_EQ(config["added_tokens_decoder"]["5"]["special"], true);
  EXPECT_EQ(config["added_tokens_decoder"]["6"]["special"], false);
}

// Both files and the tokenizer.model that they were made of, in one folder.
TEST(TokenizerJsonWriterTest, AFolderWithAllThreeFilesIsReadWithoutAWarning) {
  const ScratchFolder folder;
  folder.Put("tokenizer.model", TinyTokenizerBytes());
  const auto alone = Tokenizer::Open(folder.path());
  ASSERT_TRUE(alone.ok()) << alone.status();
  const auto spec = ReadTokenizerFolder(folder.path());
  ASSERT_TRUE(spec.ok()) << spec.status();
  folder.Put("tokenizer.json", TokenizerJsonText(spec->spec));
  folder.Put("tokenizer_config.json", TokenizerConfigText(spec->spec));
  const auto all = Tokenizer::Open(folder.path());
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_THAT(all->warnings(), IsEmpty());
  EXPECT_EQ(all->digest(), alone->digest());
  for (int32_t id = 0; id < alone->size(); ++id) {
    EXPECT_EQ(all->IsSpecial(id), alone->IsSpecial(id)) << alone->PieceOf(id);
  }
}

}  // namespace
}  // namespace fpo::train
