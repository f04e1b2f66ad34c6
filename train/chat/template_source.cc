#include "train/chat/template_source.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/files/lfs_pointer.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "common/text/utf8.h"
#include "nlohmann/json.hpp"
#include "train/tokenizer/bounded_json.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

constexpr int64_t kTemplateBytesMax = 1 << 20;
constexpr int64_t kConfigBytesMax = 1 << 26;
constexpr char kJinjaFile[] = "chat_template.jinja";
constexpr char kConfigFile[] = "tokenizer_config.json";
constexpr char kOlderFile[] = "chat_template.json";
constexpr char kMoreFolder[] = "additional_chat_templates";  // NAME.jinja

// SHA-256 of the whole texts, as Recognise normalises them.
constexpr char kGemma2[] = "ecd6ae513fe103f0eb62e8ab5bfa8d0fe45c1074fa398b089c93a7e70c15cfd6";
constexpr char kGemma3[] = "8d9e3a3c114fb2053ec500184677af4f7e5f8ec2582443cd535834e68b3ade29";

bool FileExists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

absl::StatusOr<std::string> ReadUtf8(const std::string& path, int64_t bytes_max) {
  FPO_ASSIGN_OR_RETURN(std::string text, ReadFile(path, bytes_max));
  FPO_RETURN_IF_ERROR(CheckIsNoLfsPointer(text, path));
  const size_t bad = FirstInvalidUtf8(text);
  if (bad == text.size()) return text;
  return absl::InvalidArgumentError(absl::StrCat(path, " is not UTF-8 at byte ", bad + 1));
}

// The object of an optional file; empty when there is none.
absl::StatusOr<Json> ReadConfigObject(const std::string& path) {
  if (!FileExists(path)) return Json::object();
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadUtf8(path, kConfigBytesMax));
  FPO_ASSIGN_OR_RETURN(Json json, ParseBoundedJson(text, path));
  if (json.is_object()) return json;
  return absl::InvalidArgumentError(absl::StrCat(path, " is not a JSON object"));
}

// One of a list of {name, template}, or of an object of templates by name.
absl::StatusOr<std::string> DefaultOf(const Json& value, const std::string& path) {
  std::vector<std::string> names;
  for (const auto& [key, item] : value.items()) {
    const bool listed = value.is_array() && item.is_object();
    const Json name = listed ? item.value("name", Json()) : Json(key);
    const Json text = listed ? item.value("template", Json()) : item;
    if (!name.is_string() || !text.is_string()) continue;
    if (name == "default") return text.get<std::string>();
    names.push_back(name.get<std::string>());
  }
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": chat_template is ", value.type_name(), " without a template named \"default\"",
      names.empty() ? "" : absl::StrCat(" (it has ", absl::StrJoin(names, ", "), ")"),
      "; give data.template: FILE.jinja"));
}

// chat_template of one JSON file; nullopt when it has none.
absl::StatusOr<std::optional<std::string>> TemplateIn(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const Json json, ReadConfigObject(path));
  const Json value = json.value("chat_template", Json());
  if (value.is_null()) return std::optional<std::string>();
  if (value.is_string()) return std::optional<std::string>(value.get<std::string>());
  FPO_ASSIGN_OR_RETURN(std::string text, DefaultOf(value, path));
  return std::optional<std::string>(std::move(text));
}

std::vector<std::string> MoreTemplates(const std::string& model_folder) {
  std::vector<std::string> names;
  std::error_code error;
  const std::string folder = absl::StrCat(model_folder, "/", kMoreFolder);
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == ".jinja") names.push_back(it->path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The template that transformers renders with when the folder has files for templates: of those in
// additional_chat_templates "default" counts before chat_template.jinja, and if there is neither,
// the model has none without a name, whatever its configs say.
absl::StatusOr<std::optional<TemplateSource>> TemplateOfFiles(const std::string& model_folder) {
  const std::string jinja = absl::StrCat(model_folder, "/", kJinjaFile);
  const std::string more = absl::StrCat(model_folder, "/", kMoreFolder, "/default.jinja");
  std::optional<TemplateSource> found;
  if (FileExists(jinja)) {
    FPO_ASSIGN_OR_RETURN(found, ReadTemplateFile(jinja));
  }
  if (FileExists(more)) {
    FPO_ASSIGN_OR_RETURN(TemplateSource named, ReadTemplateFile(more));
    named.name = absl::StrCat(kMoreFolder, "/", named.name);
    if (found && found->text != named.text) {
      named.warnings.push_back(absl::StrCat(model_folder, " has two different chat templates, in ",
                                            named.name, " and ", kJinjaFile, "; ", named.name,
                                            " is used, as in transformers"));
    }
    return std::optional<TemplateSource>(std::move(named));
  }
  const std::vector<std::string> names = MoreTemplates(model_folder);
  if (found || names.empty()) return found;
  return absl::InvalidArgumentError(absl::StrCat(
      model_folder, "/", kMoreFolder, " has no template named \"default\" (it has ",
      absl::StrJoin(names, ", "), ") and the folder no ", kJinjaFile,
      ", so that transformers takes none without its name; give data.template: FILE.jinja"));
}

}  // namespace

absl::StatusOr<TemplateSource> ReadTemplateFile(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(std::string text, ReadUtf8(path, kTemplateBytesMax));
  return TemplateSource{std::move(text), std::filesystem::path(path).filename().string(), {}};
}

absl::StatusOr<std::optional<TemplateSource>> FindTemplate(const std::string& model_folder) {
  FPO_ASSIGN_OR_RETURN(std::optional<TemplateSource> found, TemplateOfFiles(model_folder));
  for (const char* name : {kConfigFile, kOlderFile}) {
    FPO_ASSIGN_OR_RETURN(std::optional<std::string> text,
                         TemplateIn(absl::StrCat(model_folder, "/", name)));
    if (!text) continue;
    if (!found) {
      found = TemplateSource{*std::move(text), name, {}};
    } else if (found->text != *text) {
      found->warnings.push_back(absl::StrCat(model_folder, " has two different chat templates, in ",
                                             found->name, " and ", name, "; ", found->name,
                                             " is used, as in transformers"));
    }
  }
  return found;
}

std::map<std::string, std::string> NamedTokens(const std::string& model_folder) {
  std::map<std::string, std::string> tokens;
  const auto config = ReadConfigObject(absl::StrCat(model_folder, "/", kConfigFile));
  if (!config.ok()) return tokens;
  for (const auto& [key, value] : config->items()) {
    const Json text = value.is_object() ? value.value("content", Json()) : value;
    if (absl::EndsWith(key, "_token") && text.is_string()) tokens[key] = text.get<std::string>();
  }
  return tokens;
}

// Neither difference changes what is rendered: inside a Jinja string \n is a line feed, outside of
// strings a backslash cannot stand, and Jinja drops one line feed at the end.
KnownTemplate Recognise(absl::string_view text) {
  std::string whole = absl::StrReplaceAll(text, {{"\\n", "\n"}});
  if (absl::EndsWith(whole, "\n")) whole.pop_back();
  const std::string digest = ToHex(Sha256Of(whole));
  if (digest == kGemma2) return KnownTemplate::kGemma2;
  return digest == kGemma3 ? KnownTemplate::kGemma3 : KnownTemplate::kNone;
}

}  // namespace fpo::train
