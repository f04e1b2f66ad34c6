#include "train/tokenizer/added_token_json.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace fpo::train {
namespace {

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", text, "\""); }

}  // namespace

absl::StatusOr<AddedToken> ParseAddedToken(const nlohmann::json& json, const std::string& where) {
  const auto broken = [&](absl::string_view why) {
    return absl::DataLossError(absl::StrCat(where, " ", why));
  };
  if (!json.is_object()) return broken("is not an object with the content of a token");
  const auto content = json.find("content");
  if (content == json.end() || !content->is_string() || *content == "") {
    return broken("has no text as its content");
  }
  AddedToken token;
  token.content = content->get<std::string>();
  if (static_cast<int64_t>(token.content.size()) > kTokenizerPieceBytesMax) {
    return broken(absl::StrCat("has a content of ", token.content.size(), " bytes; at most ",
                               kTokenizerPieceBytesMax, " are read"));
  }
  bool single_word = false;
  for (const auto& [key, flag] :
       {std::pair{"lstrip", &token.lstrip}, std::pair{"rstrip", &token.rstrip},
        std::pair{"normalized", &token.normalized}, std::pair{"special", &token.special},
        std::pair{"single_word", &single_word}}) {
    const auto value = json.find(key);
    if (value == json.end()) continue;
    if (!value->is_boolean()) return broken(absl::StrCat("has a ", key, " that is not a boolean"));
    *flag = value->get<bool>();
  }
  if (single_word) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ", ", Quoted(token.content),
                     ", has single_word: true, which is not read; lstrip, rstrip, normalized and "
                     "special are"));
  }
  return token;
}

absl::StatusOr<int32_t> ParseTokenId(const nlohmann::json& json, const std::string& where) {
  if (json.is_number_integer() && json >= 0 && json < kTokenizerPiecesMax) {
    return json.get<int32_t>();
  }
  return absl::DataLossError(absl::StrCat(where, " has no id from 0 to ", kTokenizerPiecesMax - 1));
}

AddedTokenIndex::AddedTokenIndex(TokenizerSpec* spec)
    : spec_(spec), next_id_(static_cast<int32_t>(spec->bpe.pieces.size())) {
  const auto& pieces = spec_->bpe.pieces;
  pieces_.reserve(pieces.size());
  for (size_t id = 0; id < pieces.size(); ++id) {
    pieces_.emplace(pieces[id], static_cast<int32_t>(id));
  }
  for (size_t i = 0; i < spec_->added.size(); ++i) {
    added_.emplace(spec_->added[i].content, i);
    next_id_ = std::max(next_id_, spec_->added[i].id + 1);
  }
}

std::optional<int32_t> AddedTokenIndex::IdOf(absl::string_view content) const {
  if (const auto it = added_.find(content); it != added_.end()) return spec_->added[it->second].id;
  if (const auto it = pieces_.find(content); it != pieces_.end()) return it->second;
  return std::nullopt;
}

std::string AddedTokenIndex::Taken(int32_t id) const {
  const auto& pieces = spec_->bpe.pieces;
  if (static_cast<size_t>(id) < pieces.size()) {
    return absl::StrCat("that is ", Quoted(pieces[static_cast<size_t>(id)]), " in ", spec_->file);
  }
  return absl::StrCat("the next free id is ", next_id_,
                      ", which is what Hugging Face's tokenizer would give it");
}

absl::Status AddedTokenIndex::Add(AddedToken token, const std::string& where) {
  const std::optional<int32_t> known = IdOf(token.content);
  if (known.value_or(next_id_) != token.id) {
    return absl::InvalidArgumentError(absl::StrCat(
        where, " gives ", Quoted(token.content), " the id ", token.id, ", but ",
        known ? absl::StrCat("it is id ", *known, " of ", spec_->file) : Taken(token.id)));
  }
  if (token.id >= kTokenizerPiecesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, " makes more than ", kTokenizerPiecesMax, " tokens"));
  }
  if (!known) ++next_id_;
  const auto [it, fresh] = added_.emplace(token.content, spec_->added.size());
  if (fresh) {
    spec_->added.push_back(std::move(token));
  } else {
    spec_->added[it->second] = std::move(token);
  }
  return absl::OkStatus();
}

}  // namespace fpo::train
