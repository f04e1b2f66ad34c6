// What Hugging Face's tokenizers library makes of the same files, as written down by
// tests/golden/make_tokenizer_goldens.py.

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <zlib.h>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/hash.h"
#include "tests/train/support/scratch_folder.h"
#include "train/tokenizer/tokenizer.h"
#include "train/tokenizer/tokenizer_folder.h"
#include "train/tokenizer/tokenizer_json_writer.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

std::string GoldenFile(const std::string& name) {
  const char* source = std::getenv("FPO_SOURCE_DIR");
  return absl::StrCat(source ? source : ".", "/tests/golden/", name);
}

std::string Utf8(uint32_t code) {
  if (code < 0x80) return {static_cast<char>(code)};
  std::string text;
  int shift = code < 0x800 ? 6 : code < 0x10000 ? 12 : 18;
  text.push_back(static_cast<char>((shift == 6    ? 0xC0
                                    : shift == 12 ? 0xE0
                                                  : 0xF0) |
                                   code >> shift));
  while ((shift -= 6) >= 0) text.push_back(static_cast<char>(0x80 | (code >> shift & 0x3F)));
  return text;
}

std::string TextOf(const Json& item) {
  if (item.contains("text")) return item["text"];
  std::string text;
  if (item.contains("repeat")) {
    for (int i = 0; i < item["repeat"][1].get<int>(); ++i)
      text += item["repeat"][0].get<std::string>();
    return text;
  }
  for (uint32_t code = item["range"][0]; code < item["range"][1].get<uint32_t>(); ++code) {
    if (code < 0xD800 || code > 0xDFFF) text += Utf8(code);
  }
  return text;
}

std::string DigestOf(const std::vector<int32_t>& ids) {
  return ToHex(Sha256Of(
      absl::string_view(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(int32_t))));
}

// The ids, or from 24 on their count and digest: the form in the golden file.
Json Folded(const std::vector<int32_t>& ids) {
  if (ids.size() < 24) return ids;
  return absl::StrCat(ids.size(), ":", DigestOf(ids).substr(0, 16));
}

std::string Unzipped(const std::string& path) {
  std::string text, part(1 << 20, '\0');
  const gzFile file = gzopen(path.c_str(), "rb");  // reads plain files as they are
  for (int got; (got = gzread(file, part.data(), 1 << 20)) > 0;) {
    text.append(part, 0, static_cast<size_t>(got));
  }
  gzclose(file);
  return text;
}

// Of the golden file's names for one tokenizer the first that an item has.
const Json& Wanted(const Json& item, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (item.contains(name)) return item[name];
  }
  return item.at(names.back());
}

int CheckRealText(const Tokenizer& tokenizer, const Json& item, const std::string& wanted) {
  const std::string text = Unzipped(SharedData(item["file"]));
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  int count = 0;
  for (size_t i = 0; i < lines.size(); i += item["every"].get<size_t>(), ++count) {
    const auto ids = tokenizer.Encode(lines[i]);
    EXPECT_TRUE(ids.ok()) << ids.status();
    EXPECT_EQ(DigestOf(*ids).substr(0, 8), wanted.substr(static_cast<size_t>(count) * 8, 8))
        << item["file"] << " line " << i + 1 << ": " << lines[i].substr(0, 200);
    if (::testing::Test::HasFailure()) return count;
  }
  return count;
}

// At least 5,000 texts must have been compared.
void CheckAll(const Tokenizer& tokenizer, const std::vector<std::string>& names) {
  std::ifstream file(GoldenFile("tokenizer_ids.jsonl"));
  int texts = 0, failures = 0;
  for (std::string line; std::getline(file, line) && failures < 10;) {
    const Json item = Json::parse(line);
    if (item.contains("made_with")) continue;
    if (item.contains("file")) {
      texts += CheckRealText(tokenizer, item, Wanted(item["lines"], names));
      continue;
    }
    if (item.contains("decode")) {
      const auto text = tokenizer.Decode(item["decode"].get<std::vector<int32_t>>());
      EXPECT_EQ(*text, item["decoded"][names.back()].get<std::string>()) << item["decode"];
      continue;
    }
    const std::string text = TextOf(item);
    const auto ids = tokenizer.Encode(text);
    ASSERT_TRUE(ids.ok()) << ids.status() << line;
    ++texts;
    failures += Folded(*ids) != Wanted(item, names);
    EXPECT_EQ(Folded(*ids), Wanted(item, names)) << line.substr(0, 200);
  }
  EXPECT_GE(texts, 5000);
}

std::optional<Tokenizer> Opened(const std::string& file) {
  auto tokenizer = Tokenizer::OpenFile(file);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  if (!tokenizer.ok()) return std::nullopt;
  return *std::move(tokenizer);
}

TEST(TokenizerGoldenTest, Gemma2Json) {
  const std::string packed = SharedData("tokenizer/gemma2/tokenizer.json.gz");
  if (packed.empty()) GTEST_SKIP() << "shared test data is absent (FPO_SHARED_DATA)";
  const ScratchFolder folder;
  const auto tokenizer = Opened(folder.Put("tokenizer.json", Unzipped(packed)));
  ASSERT_TRUE(tokenizer);
  CheckAll(*tokenizer, {"2j"});
}

// Decoding follows the published file: transformers' own conversion keeps a byte piece for the tab.
TEST(TokenizerGoldenTest, Gemma2SentencePieceAndJson) {
  const std::string model = SharedData("tokenizer/gemma2/gemma2_rebuilt.spm.model");
  if (model.empty()) GTEST_SKIP() << "shared test data is absent (FPO_SHARED_DATA)";
  const auto tokenizer = Opened(model);
  ASSERT_TRUE(tokenizer);
  CheckAll(*tokenizer, {"2m", "2j"});
  const ScratchFolder folder;
  const auto spec = ReadTokenizerFile(model);
  ASSERT_TRUE(spec.ok());
  const auto json = Opened(folder.Put("tokenizer.json", TokenizerJsonText(*spec)));
  ASSERT_TRUE(json);
  EXPECT_EQ(json->digest(), tokenizer->digest());
  CheckAll(*json, {"2m", "2j"});
}

TEST(TokenizerGoldenTest, Gemma3SentencePieceAndJson) {
  const std::string model = SharedData("tokenizer/gemma3/gemma3_rebuilt.spm.model");
  if (model.empty()) GTEST_SKIP() << "shared test data is absent (FPO_SHARED_DATA)";
  const auto tokenizer = Opened(model);
  ASSERT_TRUE(tokenizer);
  CheckAll(*tokenizer, {"3"});
  const auto spec = ReadTokenizerFile(model);
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->bpe.merges.size(), 514906u);  // as in the published file
  const ScratchFolder folder;
  const auto json = Opened(folder.Put("tokenizer.json", TokenizerJsonText(*spec)));
  ASSERT_TRUE(json);
  EXPECT_EQ(json->digest(), tokenizer->digest());
  CheckAll(*json, {"3"});
}

// The published tokenizer.json lists the merges that the pieces and scores of tokenizer.model give,
// in the same order.
TEST(TokenizerGoldenTest, BothFilesOfGemma2HaveTheSameMerges) {
  const std::string packed = SharedData("tokenizer/gemma2/tokenizer.json.gz");
  if (packed.empty()) GTEST_SKIP() << "shared test data is absent (FPO_SHARED_DATA)";
  const ScratchFolder folder;
  const auto json = ReadTokenizerFile(folder.Put("tokenizer.json", Unzipped(packed)));
  const auto model = ReadTokenizerFile(SharedData("tokenizer/gemma2/gemma2_rebuilt.spm.model"));
  ASSERT_TRUE(json.ok() && model.ok()) << json.status() << model.status();
  EXPECT_TRUE(json->bpe.pieces == model->bpe.pieces);
  ASSERT_EQ(json->bpe.merges.size(), model->bpe.merges.size());
  for (size_t i = 0; i < json->bpe.merges.size(); ++i) {
    const BpeMerge &a = json->bpe.merges[i], &b = model->bpe.merges[i];
    ASSERT_TRUE(a.left == b.left && a.right == b.right && a.result == b.result) << "merge " << i;
  }
}

// Small tokenizers that use what Gemma's does not: white space taken along, normalised added
// tokens, unknown pieces fused or not, missing bytes, whole words, cut texts.
TEST(TokenizerGoldenTest, TinyTokenizers) {
  std::ifstream file(GoldenFile("tiny_tokenizers.jsonl"));
  const ScratchFolder folder;
  int tokenizers = 0;
  for (std::string line; std::getline(file, line); ++tokenizers) {
    const Json golden = Json::parse(line);
    const auto tokenizer = Opened(folder.Put("tokenizer.json", golden["tokenizer"].dump()));
    ASSERT_TRUE(tokenizer) << tokenizers;
    for (const Json& item : golden["texts"]) {
      const auto ids = tokenizer->Encode(item[0].get<std::string>());
      ASSERT_TRUE(ids.ok()) << ids.status();
      EXPECT_EQ(Json(*ids), item[1]) << "tokenizer " << tokenizers << ", " << item[0];
      EXPECT_EQ(*tokenizer->Decode(*ids), item[2].get<std::string>())
          << "tokenizer " << tokenizers << ", " << item[0];
    }
  }
  EXPECT_GE(tokenizers, 15);
}

// Of Llama 3's and Qwen's kind: make_byte_level_goldens.py.
TEST(TokenizerGoldenTest, ByteLevelTokenizers) {
  std::ifstream file(GoldenFile("byte_level_tokenizers.jsonl"));
  const ScratchFolder folder;
  int tokenizers = 0, lines = 0;
  for (std::string line; std::getline(file, line); ++tokenizers) {
    const Json golden = Json::parse(line);
    const auto tokenizer = Opened(folder.Put("tokenizer.json", golden["tokenizer"].dump()));
    ASSERT_TRUE(tokenizer) << tokenizers;
    EXPECT_TRUE(tokenizer->byte_level());
    for (const Json& item : golden["texts"]) {
      const auto ids = tokenizer->Encode(item[0].get<std::string>());
      ASSERT_TRUE(ids.ok()) << ids.status();
      EXPECT_EQ(Json(*ids), item[1]) << "tokenizer " << tokenizers << ", " << item[0];
      EXPECT_EQ(*tokenizer->Decode(*ids), item[2].get<std::string>()) << item[0];
    }
    for (const Json& item : golden["decode"]) {
      const auto ids = item[0].get<std::vector<int32_t>>();
      EXPECT_EQ(*tokenizer->Decode(ids), item[1].get<std::string>()) << item[0];
    }
    for (const Json& item : golden["files"]) {
      if (SharedData(item[0]).empty()) continue;
      const Json real = {{"file", item[0]}, {"every", item[1]}};
      lines += CheckRealText(*tokenizer, real, item[2]);
    }
  }
  EXPECT_EQ(tokenizers, 2);
  if (lines == 0) GTEST_SKIP() << "shared test data is absent (FPO_SHARED_DATA)";
  EXPECT_GT(lines, 5000);
}

}  // namespace
}  // namespace fpo::train
