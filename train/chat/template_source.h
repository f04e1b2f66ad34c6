#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// A chat template as Jinja text.
struct TemplateSource {
  std::string text;
  std::string name;                   // "chat_template.jinja", for messages
  std::vector<std::string> warnings;  // two files that disagree
};

// The template of a model folder, chosen as in transformers: chat_template.jinja, then
// chat_template of tokenizer_config.json (a text, or a list of named ones, of which "default"
// counts), then the older chat_template.json. nullopt when there is none. InvalidArgument when a
// file cannot be read as such, or when a list has no "default".
absl::StatusOr<std::optional<TemplateSource>> FindTemplate(const std::string& model_folder);

// A file with one template. NotFound, InvalidArgument (not UTF-8, a Git LFS pointer, too long).
absl::StatusOr<TemplateSource> ReadTemplateFile(const std::string& path);

// The special tokens that tokenizer_config.json names: "bos_token" to "<bos>". Empty when there is
// no such file.
std::map<std::string, std::string> NamedTokens(const std::string& model_folder);

// Which of Gemma's published templates it is, by its whole text.
enum class KnownTemplate { kNone, kGemma2, kGemma3 };
KnownTemplate Recognise(absl::string_view text);

}  // namespace fpo::train
