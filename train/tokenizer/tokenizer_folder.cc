#include "train/tokenizer/tokenizer_folder.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/lfs_pointer.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "train/tokenizer/added_token_json.h"
#include "train/tokenizer/bounded_json.h"
#include "train/tokenizer/sentencepiece_model.h"
#include "train/tokenizer/tokenizer_agreement.h"
#include "train/tokenizer/tokenizer_json.h"
#include "train/tokenizer/words/byte_level.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

absl::StatusOr<std::string> ReadBounded(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path, kTokenizerFileBytesMax));
  FPO_RETURN_IF_ERROR(CheckIsNoLfsPointer(bytes, path));
  return bytes;
}

// The object of an optional file; empty when there is none.
absl::StatusOr<Json> ReadOptionalObject(const std::string& path) {
  if (!Exists(path)) return Json::object();
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadBounded(path));
  FPO_ASSIGN_OR_RETURN(Json json, ParseBoundedJson(text, path));
  if (!json.is_object()) return absl::DataLossError(absl::StrCat(path, " is not a JSON object"));
  return json;
}

// The text of a special token, "<bos>" or {"content": "<bos>", ...}; nullopt for anything else.
std::optional<std::string> ContentOf(const Json& token) {
  const Json content = token.is_object() ? token.value("content", Json()) : token;
  if (!content.is_string() || content == "") return std::nullopt;
  return content.get<std::string>();
}

// The small files next to tokenizer.json or tokenizer.model.
class Companions {
 public:
  Companions(const std::string& folder, TokenizerFiles* out)
      : folder_(folder), out_(*out), index_(&out->spec) {}

  absl::Status Read() {
    FPO_ASSIGN_OR_RETURN(config_, ReadOptionalObject(ConfigFile()));
    FPO_ASSIGN_OR_RETURN(map_, ReadOptionalObject(folder_ + "/special_tokens_map.json"));
    if (config_.value("split_special_tokens", Json(false)) != false) {
      return absl::InvalidArgumentError(
          absl::StrCat(ConfigFile(),
                       " sets split_special_tokens, which is not read: special "
                       "tokens in a text are always one id here"));
    }
    FPO_RETURN_IF_ERROR(ReadDecoder());
    FPO_RETURN_IF_ERROR(ReadAddedTokens());
    FPO_RETURN_IF_ERROR(ReadSpecialTokens());
    WarnOfAdditions();
    return absl::OkStatus();
  }

 private:
  std::string ConfigFile() const { return folder_ + "/tokenizer_config.json"; }

  // A key of tokenizer_config.json, else of special_tokens_map.json, else null.
  Json Stated(const char* key) const {
    const Json own = config_.value(key, Json());
    return own.is_null() ? map_.value(key, Json()) : own;
  }

  void WarnOfAdditions();
  absl::Status ReadDecoder();
  absl::Status ReadAddedTokens();
  absl::Status ReadSpecialTokens();
  absl::Status Name(const char* key, std::optional<std::string>* token);
  std::vector<std::string> OtherSpecialTokens() const;
  absl::Status Mark(const std::string& content, const char* key);

  const std::string& folder_;
  TokenizerFiles& out_;
  AddedTokenIndex index_;
  Json config_, map_;
};

// What transformers puts around a text by itself when it is not told otherwise; templates and rows
// decide that here.
void Companions::WarnOfAdditions() {
  if (out_.spec.bos && config_.value("add_bos_token", Json(true)) == false) {
    out_.warnings.push_back(absl::StrCat(
        ConfigFile(), " sets add_bos_token to false, which is not read: a text without a chat ",
        "template begins with the BOS token here, as Gemma needs it"));
  }
  if (config_.value("add_eos_token", Json(false)) == true) {
    out_.warnings.push_back(absl::StrCat(
        ConfigFile(), " sets add_eos_token to true, which is not read: a response ends as its ",
        "template says, and a prompt never with the EOS token"));
  }
}

// tokenizer_config.json: added_tokens_decoder, {"106": {"content": "<start_of_turn>", ...}}.
absl::Status Companions::ReadDecoder() {
  const Json tokens = config_.value("added_tokens_decoder", Json::object());
  const std::string field = ConfigFile() + ": added_tokens_decoder";
  if (!tokens.is_object()) return absl::DataLossError(field + " is not an object");
  std::map<int32_t, AddedToken> by_id;
  for (const auto& [key, json] : tokens.items()) {
    const std::string where = absl::StrCat(field, "[\"", key, "\"]");
    FPO_ASSIGN_OR_RETURN(AddedToken token, ParseAddedToken(json, where));
    if (!json.contains("normalized")) token.normalized = !token.special;
    if (!absl::SimpleAtoi(key, &token.id) || token.id < 0) {
      return absl::DataLossError(absl::StrCat(where, " is not under an id"));
    }
    by_id[token.id] = std::move(token);
  }
  for (auto& [id, token] : by_id) {
    FPO_RETURN_IF_ERROR(index_.Add(std::move(token), absl::StrCat(field, "[\"", id, "\"]")));
  }
  return absl::OkStatus();
}

// added_tokens.json: {"<image_soft_token>": 262144}.
absl::Status Companions::ReadAddedTokens() {
  const std::string path = folder_ + "/added_tokens.json";
  FPO_ASSIGN_OR_RETURN(const Json tokens, ReadOptionalObject(path));
  std::map<int32_t, std::string> by_id;
  for (const auto& [content, id_json] : tokens.items()) {
    const std::string where = absl::StrCat(path, ": \"", content, "\"");
    FPO_ASSIGN_OR_RETURN(const int32_t id, ParseTokenId(id_json, where));
    FPO_RETURN_IF_ERROR(ParseAddedToken(Json{{"content", content}}, where).status());
    if (!by_id.emplace(id, content).second) {
      return absl::DataLossError(absl::StrCat(where, " has the id ", id, " of another token"));
    }
  }
  const std::vector<std::string> special = OtherSpecialTokens();
  for (const auto& [id, content] : by_id) {
    AddedToken token{content, id};
    token.special = std::find(special.begin(), special.end(), content) != special.end();
    token.normalized = !token.special;
    if (index_.IsAdded(content) && index_.IdOf(content) == id) continue;
    FPO_RETURN_IF_ERROR(index_.Add(std::move(token), path));
    if (config_.contains("added_tokens_decoder")) {
      out_.warnings.push_back(
          absl::StrCat(path, " adds \"", content, "\", which added_tokens_decoder in ",
                       "tokenizer_config.json lacks; transformers reads only the latter and would "
                       "spell it out"));
    }
  }
  return absl::OkStatus();
}

// Tokens named beside BOS and EOS: in lists, or one by one.
std::vector<std::string> Companions::OtherSpecialTokens() const {
  std::vector<std::string> contents;
  const auto add = [&](const Json& token) {
    if (const auto content = ContentOf(token)) contents.push_back(*content);
  };
  for (const char* key : {"unk_token", "mask_token"}) add(Stated(key));
  for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
    const Json list = Stated(key);
    if (!list.is_array() && !list.is_object()) continue;
    for (const Json& token : list) add(token);
  }
  return contents;
}

// A special token is always one id in a text.
absl::Status Companions::Mark(const std::string& content, const char* key) {
  const auto id = index_.IdOf(content);
  if (!id) {
    out_.warnings.push_back(absl::StrCat(
        ConfigFile(), " names \"", content, "\" as ", key,
        ", but no file gives it an id; it is spelled out, where transformers would add it"));
    return absl::OkStatus();
  }
  if (index_.IsAdded(content)) return absl::OkStatus();
  AddedToken token{content, *id};
  token.special = true;
  return index_.Add(std::move(token), ConfigFile());
}

absl::Status Companions::Name(const char* key, std::optional<std::string>* token) {
  const auto content = ContentOf(Stated(key));
  if (!content) return absl::OkStatus();
  if (!index_.IdOf(*content)) {
    return absl::InvalidArgumentError(absl::StrCat(ConfigFile(), " names \"", *content, "\" as ",
                                                   key, ", but no file gives it an id"));
  }
  *token = *content;
  return Mark(*content, key);
}

absl::Status Companions::ReadSpecialTokens() {
  FPO_RETURN_IF_ERROR(Name("bos_token", &out_.spec.bos));
  FPO_RETURN_IF_ERROR(Name("eos_token", &out_.spec.eos));
  if (const auto pad = ContentOf(Stated("pad_token"))) {
    if (index_.IdOf(*pad)) out_.spec.pad = pad;
    FPO_RETURN_IF_ERROR(Mark(*pad, "pad_token"));
  }
  for (const std::string& content : OtherSpecialTokens()) {
    FPO_RETURN_IF_ERROR(Mark(content, "a special token"));
  }
  return absl::OkStatus();
}

// All bytes have a piece, or there is an unknown token.
absl::Status CheckBytes(const TokenizerSpec& spec, const AddedTokenIndex& index) {
  for (int byte = 0; byte < 256 && !spec.bpe.unknown; ++byte) {
    if (index.IdOf(ByteCharsOf(std::string(1, static_cast<char>(byte))))) continue;
    return absl::InvalidArgumentError(absl::StrCat(spec.file, " has no piece for the byte ", byte,
                                                   " and no unknown token, so ",
                                                   "characters of a text would be lost"));
  }
  return absl::OkStatus();
}

// Fills in the families' names where no file states others; checks what training cannot do without.
// Texts of Qwen begin without a BOS token.
absl::Status Complete(TokenizerSpec* spec) {
  const AddedTokenIndex index(spec);
  for (const auto& [name, token] :
       {std::pair{"<bos>", &spec->bos}, std::pair{"<|begin_of_text|>", &spec->bos},
        std::pair{"<eos>", &spec->eos}, std::pair{"<|end_of_text|>", &spec->eos},
        std::pair{"<|endoftext|>", &spec->eos}, std::pair{"<pad>", &spec->pad}}) {
    if (!token->has_value() && index.IdOf(name)) *token = name;
  }
  if (!spec->eos || (!spec->bos && !spec->byte_level())) {
    return absl::InvalidArgumentError(
        absl::StrCat(spec->file, " has no BOS or EOS token, which training needs"));
  }
  if (spec->byte_level()) return CheckBytes(*spec, index);
  for (int byte = 0; byte < 256 && !spec->bpe.unknown; ++byte) {
    const bool spelled = spec->bpe.byte_fallback && index.IdOf(absl::StrFormat("<0x%02X>", byte));
    if (spelled || (byte < 128 && index.IdOf(std::string(1, static_cast<char>(byte))))) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(spec->file, " has neither an unknown token nor a piece for the byte ", byte,
                     ", so characters of a text would be lost"));
  }
  return absl::OkStatus();
}

absl::StatusOr<TokenizerSpec> ReadOne(const std::string& file) {
  FPO_ASSIGN_OR_RETURN(const std::string bytes, ReadBounded(file));
  return absl::EndsWith(file, ".json") ? ReadTokenizerJson(bytes, file)
                                       : ReadSentencePieceModel(bytes, file);
}

// A tokenizer.model beside the tokenizer.json that is used must not be another tokenizer's.
absl::Status CompareWith(const std::string& model, TokenizerFiles* files) {
  const auto other = ReadOne(model);
  if (other.ok()) return CheckTokenizersAgree(files->spec, *other, &files->warnings);
  files->warnings.push_back(
      absl::StrCat(other.status().message(), "; ", files->spec.file, " is used without it"));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizerSpec> ReadTokenizerFile(const std::string& file) {
  FPO_ASSIGN_OR_RETURN(TokenizerSpec spec, ReadOne(file));
  FPO_RETURN_IF_ERROR(Complete(&spec));
  return spec;
}

absl::StatusOr<TokenizerFiles> ReadTokenizerFolder(const std::string& folder) {
  const std::string json = folder + "/tokenizer.json", model = folder + "/tokenizer.model";
  const bool has_json = Exists(json), has_model = Exists(model);
  if (!has_json && !has_model) {
    return absl::NotFoundError(absl::StrCat(
        "model folder ", folder, " has neither tokenizer.json nor tokenizer.model; rows of text ",
        "need one of them (copy it from the folder the model came from), rows of token ids do "
        "not"));
  }
  TokenizerFiles out;
  FPO_ASSIGN_OR_RETURN(out.spec, ReadOne(has_json ? json : model));
  FPO_RETURN_IF_ERROR(Companions(folder, &out).Read());
  FPO_RETURN_IF_ERROR(Complete(&out.spec));
  if (has_json && has_model) FPO_RETURN_IF_ERROR(CompareWith(model, &out));
  return out;
}

}  // namespace fpo::train
