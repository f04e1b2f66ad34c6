#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <optional>

#include "absl/strings/match.h"
#include "nlohmann/json.hpp"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"
#include "train/chat/chat_template.h"
#include "train/chat/python_trim.h"

namespace fpo::train {
namespace {

using nlohmann::json;

// A model folder with one chat template.
struct GoldenModel {
  ScratchFolder folder;
  std::optional<Tokenizer> tokenizer;
  std::optional<ChatTemplate> chat;

  GoldenModel(const std::string& name, const std::string& text) {
    folder.Put("tokenizer.model", TinyTokenizerBytes());
    folder.Put("tokenizer_config.json", R"({"bos_token":"<bos>","eos_token":"<eos>"})");
    folder.Put("chat_template.jinja", text);
    tokenizer.emplace(*Tokenizer::Open(folder.path()));
    const int size = tokenizer->size();
    json added;
    int id = size;
    for (const char* mark : {"<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>",
                             "<|end_header_id|>", "<|user|>", "<|assistant|>", "<|system|>"}) {
      added[mark] = id++;
    }
    folder.Put("added_tokens.json", added.dump());
    tokenizer.emplace(*Tokenizer::Open(folder.path()));
    chat.emplace(
        *ChatTemplate::Create(name == "halo" ? "halo" : "auto", *tokenizer, folder.path()));
  }
};

PreferenceRow RowOf(const json& messages) {
  PreferenceRow row;
  row.kind = PreferenceRow::Kind::kMessages;
  for (const json& message : messages) {
    row.prompt_messages.push_back({message["role"], message["content"]});
  }
  row.chosen_messages = {row.prompt_messages.back()};
  row.prompt_messages.pop_back();
  return row;
}

// What a golden line gives, compared with what we render; "" when they are equal.
std::string Difference(const json& line, const GoldenModel& model, const RenderedRow& row) {
  if (!row.drop_reason.empty()) return row.drop_reason + " " + row.drop_detail;
  if (row.prompt.text != line["prompt"]) return "prompt: " + row.prompt.text;
  std::string whole = row.prompt.text + row.chosen.text;
  if (row.end && model.chat->turns_name() == "gemma") {
    whole += model.tokenizer->PieceOf(*row.end);
  }
  const std::string text = line["text"];
  if (!absl::StartsWith(text, whole)) return "text: " + whole;
  if (!PythonTrim(absl::string_view(text).substr(whole.size())).empty()) return "short: " + whole;
  if (!line.contains("answer")) return "";
  // The line feed behind an end mark is no part of the response.
  const std::string answer = line["answer"];
  const bool same = absl::StartsWith(answer, row.chosen.text) &&
                    PythonTrim(answer.substr(row.chosen.text.size())).empty();
  return same ? "" : "answer: " + row.chosen.text;
}

TEST(ChatGoldenTest, EqualsTransformers) {
  const char* root = std::getenv("FPO_SOURCE_DIR");
  if (root == nullptr) GTEST_SKIP() << "set FPO_SOURCE_DIR";
  std::ifstream file(std::string(root) + "/tests/golden/chat_texts.jsonl");
  std::string text;
  std::getline(file, text);
  const json templates = json::parse(text)["templates"];
  std::map<std::string, std::unique_ptr<GoldenModel>> models;
  for (const auto& [name, source] : templates.items()) {
    models[name] = std::make_unique<GoldenModel>(name, source.get<std::string>());
  }
  int equal = 0, refused = 0, folded = 0;
  while (std::getline(file, text)) {
    const json line = json::parse(text);
    const GoldenModel& model = *models[line["template"]];
    const auto row = model.chat->Render(RowOf(line["messages"]));
    ASSERT_TRUE(row.ok()) << row.status();
    if (line.contains("text")) {
      // The built-in turns are stricter than the authors' tags: roles must alternate.
      if (line["template"] == "halo" && row->drop_reason == "bad_roles") continue;
      const std::string difference = Difference(line, model, *row);
      EXPECT_EQ(difference, "") << text;
      equal += difference.empty();
    } else {
      EXPECT_TRUE(row->system_folded || !row->drop_reason.empty()) << text;
      ++(row->system_folded ? folded : refused);
    }
  }
  EXPECT_EQ(equal, 354 + 2 * 37);
  EXPECT_EQ(refused, 3);
  EXPECT_EQ(folded, 12);
  EXPECT_FALSE(models["gemma2"]->chat->IsBatched());
  EXPECT_FALSE(models["gemma3"]->chat->IsBatched());
  EXPECT_TRUE(models["gemma3_generation"]->chat->IsBatched());
}

// What an export gives to a model that had no template, rendered by Jinja as transformers does:
// equal to what transformers renders with the published one.
TEST(ChatGoldenTest, ExportedTemplatesEqualTheBuiltInTurns) {
  const char* root = std::getenv("FPO_SOURCE_DIR");
  if (root == nullptr) GTEST_SKIP() << "set FPO_SOURCE_DIR";
  std::ifstream file(std::string(root) + "/tests/golden/chat_texts.jsonl");
  std::string text;
  std::getline(file, text);
  std::map<std::string, std::unique_ptr<GoldenModel>> models;
  const ScratchFolder bare;
  for (const char* name : {"gemma", "halo"}) {
    bare.Put("tokenizer.model", TinyTokenizerBytes());
    const Tokenizer tokenizer = *Tokenizer::Open(bare.path());
    const TurnRecord record = ChatTemplate::Create(name, tokenizer, bare.path())->record();
    EXPECT_EQ(record.turns, name);
    const std::string of_lines = std::string(name) == "gemma" ? "gemma3" : "exported_halo";
    models[of_lines] = std::make_unique<GoldenModel>("exported", record.jinja);
    EXPECT_TRUE(models[of_lines]->chat->IsBatched()) << "by Jinja";
  }
  int equal = 0;
  while (std::getline(file, text)) {
    json line = json::parse(text);
    if (line["template"] == "halo") line["template"] = "exported_halo";
    const auto model = models.find(line["template"]);
    if (model == models.end() || !line.contains("text")) continue;
    const auto row = model->second->chat->Render(RowOf(line["messages"]));
    ASSERT_TRUE(row.ok()) << row.status();
    const std::string difference = Difference(line, *model->second, *row);
    EXPECT_EQ(difference, "") << text;
    equal += difference.empty();
  }
  EXPECT_GE(equal, 60);
}

}  // namespace
}  // namespace fpo::train
