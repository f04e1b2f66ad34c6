// Chat templates, without Python. The first byte picks what the rest is: a file that a template is
// looked up in, or a row that is rendered by Gemma's turns, by HALO's tags or without a template.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/text/utf8.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"
#include "tests/train/support/tiny_tokenizer_model.h"
#include "train/chat/chat_template.h"
#include "train/chat/template_source.h"
#include "train/rows/preference_dataset.h"

namespace {

using fpo::train::ChatTemplate;
using fpo::train::MarkedText;
using fpo::train::Message;
using fpo::train::PreferenceRow;

void FindIn(const std::string& name, absl::string_view bytes) {
  namespace fs = std::filesystem;
  const std::string folder = fpo::fuzz::InputFolder();
  for (const char* other : {"chat_template.jinja", "tokenizer_config.json", "chat_template.json"}) {
    fs::remove(folder + "/" + other);
  }
  fpo::fuzz::WriteInput(name, bytes);
  const auto found = fpo::train::FindTemplate(folder);
  if (found.ok() && *found) {
    FUZZ_CHECK(fpo::FirstInvalidUtf8((*found)->text) == (*found)->text.size());
    fpo::train::Recognise((*found)->text);
  }
  for (const auto& [key, token] : fpo::train::NamedTokens(folder)) FUZZ_CHECK(!key.empty());
}

// How often a mark stands in the text as a token.
size_t Count(const MarkedText& marked, const std::string& mark) {
  size_t count = 0;
  for (size_t at = marked.text.find(mark); at != std::string::npos;
       at = marked.text.find(mark, at + 1)) {
    count += !std::binary_search(marked.literal.begin(), marked.literal.end(), at);
  }
  return count;
}

size_t Turns(const std::vector<Message>& messages) {
  return messages.size() - (!messages.empty() && messages[0].role == "system");
}

// No message can begin or end a turn.
void CheckMarks(const PreferenceRow& row, const fpo::train::RenderedRow& text) {
  const size_t turns = row.kind == PreferenceRow::Kind::kStrings ? 1 : Turns(row.prompt_messages);
  FUZZ_CHECK(Count(text.prompt, "<bos>") == 1);
  FUZZ_CHECK(Count(text.prompt, "<start_of_turn>") == turns + 1);
  FUZZ_CHECK(Count(text.prompt, "<end_of_turn>") == turns);
  for (const MarkedText* side : {&text.chosen, &text.rejected}) {
    for (const char* mark : {"<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"}) {
      FUZZ_CHECK(Count(*side, mark) == 0);
    }
  }
}

void Render(const std::string& name, absl::string_view json) {
  static const std::string folder = [] {
    const std::string path = fpo::fuzz::InputFolder() + "/model";
    std::filesystem::create_directories(path);
    fpo::fuzz::WriteInput("model/tokenizer.model", fpo::train::TinyTokenizerBytes());
    return path;
  }();
  static const auto* const tokenizer =
      new fpo::train::Tokenizer(*fpo::train::Tokenizer::Open(folder));
  const auto made = ChatTemplate::Create(name, *tokenizer, folder);
  FUZZ_CHECK(made.ok());
  const auto row = fpo::train::ParsePreferenceRow(json, "auto");
  if (!row.ok()) return;
  const auto text = made->Render(*row);
  FUZZ_CHECK(text.ok());
  if (!text->drop_reason.empty()) return;
  for (const MarkedText* part : {&text->prompt, &text->chosen, &text->rejected}) {
    FUZZ_CHECK(std::is_sorted(part->literal.begin(), part->literal.end()));
    FUZZ_CHECK(part->literal.empty() || part->literal.back() < part->text.size());
    FUZZ_CHECK(fpo::FirstInvalidUtf8(part->text) == part->text.size());
    FUZZ_CHECK(tokenizer->Encode(part->text, part->literal).ok());
  }
  if (name == "gemma" && text->turns) CheckMarks(*row, *text);
}

}  // namespace

FUZZ_TARGET(chat) {
  if (size == 0) return 0;
  const absl::string_view bytes = fpo::fuzz::Text(data + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      FindIn("tokenizer_config.json", bytes);
      break;
    case 1:
      FindIn("chat_template.json", bytes);
      break;
    case 2:
      FindIn("chat_template.jinja", bytes);
      break;
    case 3:
      Render("halo", bytes);
      break;
    case 4:
      Render("none", bytes);
      break;
    default:
      Render("gemma", bytes);
  }
  return 0;
}
