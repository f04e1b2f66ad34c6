#include "train/tokenizer/tokenizer_json.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"
#include "train/tokenizer/added_token_json.h"
#include "train/tokenizer/bounded_json.h"
#include "train/tokenizer/words/word_split.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

// A component as errors show it: its type, or its value.
std::string Shown(const Json& component) {
  if (component.is_object() && component.contains("type")) return component["type"].dump();
  const std::string text = component.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() > 80 ? absl::StrCat(text.substr(0, 80), " ...") : text;
}

// Reads one file; every error names it.
class Reader {
 public:
  explicit Reader(const std::string& file) { spec_.file = file; }

  absl::StatusOr<TokenizerSpec> Read(absl::string_view text) {
    FPO_ASSIGN_OR_RETURN(const Json json, Parse(text));
    if (!json.is_object()) return Broken("is not a JSON object");
    if (json.value("version", Json("1.0")) != "1.0") {
      return Unsupported("version", json["version"], "1.0");
    }
    FPO_RETURN_IF_ERROR(ReadModel(json.value("model", Json())));
    FPO_RETURN_IF_ERROR(ReadAdded(json.value("added_tokens", Json::array())));
    FPO_RETURN_IF_ERROR(ReadNormalizer(json.value("normalizer", Json())));
    FPO_RETURN_IF_ERROR(ReadPreTokenizer(json.value("pre_tokenizer", Json())));
    FPO_RETURN_IF_ERROR(CheckPostProcessor(json.value("post_processor", Json())));
    FPO_RETURN_IF_ERROR(ReadDecoder(json.value("decoder", Json())));
    if (spec_.byte_level() != joins_bytes_) {
      return Unsupported("decoder", json.value("decoder", Json()),
                         "ByteLevel where pre_tokenizer has it, and only there");
    }
    return std::move(spec_);
  }

 private:
  absl::Status Broken(absl::string_view why) const {
    return absl::DataLossError(absl::StrCat(spec_.file, " ", why));
  }
  absl::Status Unsupported(absl::string_view field, const Json& found,
                           absl::string_view supported) const {
    return absl::InvalidArgumentError(
        absl::StrCat(spec_.file, ": ", field, " is ", Shown(found),
                     ", which is not read; the tokenizers that are, have ", supported));
  }

  absl::StatusOr<Json> Parse(absl::string_view text);
  absl::Status AddPiece(std::string piece, int64_t id);
  absl::Status AddMerge(std::vector<std::string> strings);
  absl::Status OrderPieces();
  absl::Status ResolveMerges();
  absl::Status ReadModel(const Json& model);
  absl::Status ReadAdded(const Json& added);
  absl::Status ReadReplacement(const std::string& field, const Json& component,
                               std::vector<TextReplacement>* out) const;
  absl::Status ReadNormalizer(const Json& normalizer);
  absl::Status ReadPreTokenizer(const Json& pre_tokenizer);
  absl::Status ReadByteLevel(const Json& parts);
  absl::Status CheckPostProcessor(const Json& post_processor) const;
  absl::Status ReadDecoder(const Json& decoder);
  absl::Status ReadDecoderStep(const std::string& field, const Json& step);

  TokenizerSpec spec_;
  absl::flat_hash_map<std::string, int32_t> ids_;
  std::vector<std::pair<std::string, std::string>> merges_;
  bool fused_ = false;
  bool joins_bytes_ = false;  // the decoder is ByteLevel
};

absl::StatusOr<Json> Reader::Parse(absl::string_view text) {
  JsonTap vocabulary;
  vocabulary.path = {"model", "vocab"};
  vocabulary.on_number = [this](std::string piece, int64_t id) {
    return AddPiece(std::move(piece), id);
  };
  JsonTap merges;
  merges.path = {"model", "merges"};
  merges.on_strings = [this](std::vector<std::string> strings) {
    return AddMerge(std::move(strings));
  };
  return ParseBoundedJson(text, spec_.file, {vocabulary, merges});
}

absl::Status Reader::AddPiece(std::string piece, int64_t id) {
  if (id < 0 || id >= kTokenizerPiecesMax) {
    return Broken(absl::StrCat("gives \"", piece, "\" the id ", id,
                               " in model.vocab; ids are 0 to ", kTokenizerPiecesMax - 1));
  }
  if (static_cast<int64_t>(piece.size()) > kTokenizerPieceBytesMax) {
    return Broken(absl::StrCat("has a piece of ", piece.size(), " bytes, id ", id,
                               ", in model.vocab; at most ", kTokenizerPieceBytesMax, " are read"));
  }
  const auto [it, fresh] = ids_.emplace(std::move(piece), static_cast<int32_t>(id));
  if (fresh) return absl::OkStatus();
  return Broken(absl::StrCat("names \"", it->first, "\" twice in model.vocab"));
}

// A merge is ["a", "b"] or, in older files, "a b".
absl::Status Reader::AddMerge(std::vector<std::string> strings) {
  if (strings.size() == 1) strings = absl::StrSplit(strings[0], ' ');
  if (strings.size() != 2) {
    return Broken(absl::StrCat("has model.merges[", merges_.size(), "] of ", strings.size(),
                               " parts; a merge has two"));
  }
  if (static_cast<int64_t>(merges_.size()) >= kTokenizerMergesMax) {
    return Broken(absl::StrCat("has more than ", kTokenizerMergesMax, " merges"));
  }
  merges_.emplace_back(std::move(strings[0]), std::move(strings[1]));
  return absl::OkStatus();
}

// The pieces by id. The library numbers added tokens from the piece count on, so ids have no gaps.
absl::Status Reader::OrderPieces() {
  auto& pieces = spec_.bpe.pieces;
  pieces.resize(ids_.size());
  std::vector<bool> filled(ids_.size(), false);
  for (const auto& [piece, id] : ids_) {
    const auto at = static_cast<size_t>(id);
    if (at >= pieces.size()) {
      return Broken(absl::StrCat("gives \"", piece, "\" the id ", id, " in model.vocab of ",
                                 pieces.size(), " pieces; ids must have no gaps"));
    }
    if (filled[at]) {
      return Broken(absl::StrCat("gives both \"", pieces[at], "\" and \"", piece, "\" the id ", id,
                                 " in model.vocab"));
    }
    filled[at] = true;
    pieces[at] = piece;
  }
  return absl::OkStatus();
}

absl::Status Reader::ResolveMerges() {
  spec_.bpe.merges.reserve(merges_.size());
  for (size_t i = 0; i < merges_.size(); ++i) {
    const auto& [left, right] = merges_[i];
    BpeMerge merge;
    for (const auto& [piece, id] : {std::pair{left, &merge.left}, std::pair{right, &merge.right},
                                    std::pair{left + right, &merge.result}}) {
      const auto it = ids_.find(piece);
      if (it == ids_.end()) {
        return Broken(absl::StrCat("has model.merges[", i, "] \"", left, "\" + \"", right,
                                   "\", but model.vocab has no \"", piece, "\""));
      }
      *id = it->second;
    }
    spec_.bpe.merges.push_back(merge);
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadModel(const Json& model) {
  if (!model.is_object() || model.value("type", Json()) != "BPE") {
    return Unsupported("model", model, "a model of type BPE");
  }
  for (const char* key : {"vocab", "merges"}) {
    const bool as_it_should = std::string(key) == "vocab" ? model.value(key, Json()).is_object()
                                                          : model.value(key, Json()).is_array();
    if (!as_it_should) return Broken(absl::StrCat("has no model.", key));
  }
  if (ids_.empty()) return Broken("has no pieces in model.vocab");
  const Json dropout = model.value("dropout", Json());
  if (!dropout.is_null() && dropout != 0) return Unsupported("model.dropout", dropout, "none");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const Json value = model.value(key, Json());
    if (!value.is_null() && value != "") {
      return Unsupported(absl::StrCat("model.", key), value, "none");
    }
  }
  BpeModel& bpe = spec_.bpe;
  bpe.byte_fallback = bpe.fuse_unknown = false;
  for (const auto& [key, flag] :
       {std::pair{"byte_fallback", &bpe.byte_fallback}, std::pair{"fuse_unk", &bpe.fuse_unknown},
        std::pair{"ignore_merges", &bpe.ignore_merges}}) {
    const Json value = model.value(key, Json(false));
    if (!value.is_boolean())
      return Broken(absl::StrCat("has a model.", key, " that is not a boolean"));
    *flag = value.get<bool>();
  }
  const Json unknown = model.value("unk_token", Json());
  if (!unknown.is_null()) {
    const auto it = unknown.is_string() ? ids_.find(unknown.get<std::string>()) : ids_.end();
    if (it == ids_.end()) {
      return Broken(
          absl::StrCat("has model.unk_token ", Shown(unknown), ", no piece of model.vocab"));
    }
    bpe.unknown = it->second;
  }
  FPO_RETURN_IF_ERROR(OrderPieces());
  return ResolveMerges();
}

absl::Status Reader::ReadAdded(const Json& added) {
  if (!added.is_array()) return Broken("has added_tokens that are not a list");
  AddedTokenIndex index(&spec_);
  for (size_t i = 0; i < added.size(); ++i) {
    const std::string where = absl::StrCat(spec_.file, ": added_tokens[", i, "]");
    FPO_ASSIGN_OR_RETURN(AddedToken token, ParseAddedToken(added[i], where));
    FPO_ASSIGN_OR_RETURN(token.id, ParseTokenId(added[i].value("id", Json()), where));
    FPO_RETURN_IF_ERROR(index.Add(std::move(token), where));
  }
  return absl::OkStatus();
}

// {"type": "Replace", "pattern": {"String": ...}, "content": ...}
absl::Status Reader::ReadReplacement(const std::string& field, const Json& component,
                                     std::vector<TextReplacement>* out) const {
  const Json pattern = component.value("pattern", Json());
  if (!pattern.is_object() || pattern.size() != 1 || !pattern.contains("String")) {
    return Unsupported(absl::StrCat(field, ".pattern"), pattern, "a fixed text, {\"String\": ...}");
  }
  const Json content = component.value("content", Json());
  if (!pattern["String"].is_string() || pattern["String"] == "" || !content.is_string()) {
    return Broken(absl::StrCat("has a ", field, " that does not replace one text by another"));
  }
  out->push_back({pattern["String"].get<std::string>(), content.get<std::string>()});
  return absl::OkStatus();
}

absl::Status Reader::ReadNormalizer(const Json& normalizer) {
  if (normalizer.is_null()) return absl::OkStatus();
  const Json type = normalizer.is_object() ? normalizer.value("type", Json()) : Json();
  const char* const field = "normalizer";
  if (type == "Replace") return ReadReplacement(field, normalizer, &spec_.normalizer);
  spec_.nfc = type == "NFC";
  if (spec_.nfc) return absl::OkStatus();
  const Json parts = type == "Sequence" ? normalizer.value("normalizers", Json()) : Json();
  if (!parts.is_array()) {
    return Unsupported(field, normalizer, "Replace, or a Sequence of Replace, or NFC, or none");
  }
  for (const Json& part : parts) {
    if (!part.is_object() || part.value("type", Json()) != "Replace") {
      return Unsupported("a part of normalizer", part, "Replace");
    }
    FPO_RETURN_IF_ERROR(ReadReplacement(field, part, &spec_.normalizer));
  }
  return absl::OkStatus();
}

// [{"type": "Split", "pattern": {"Regex": ...}, ...}, {"type": "ByteLevel", ...}]
absl::Status Reader::ReadByteLevel(const Json& parts) {
  constexpr char kSupported[] =
      "Split by the pattern of Llama 3 or of Qwen with the behavior Isolated, then ByteLevel "
      "without a pattern and without a space in front";
  const auto has = [](const Json& part, const char* key, const Json& value) {
    return part.is_object() && part.value(key, Json()) == value;
  };
  const bool two = parts.is_array() && parts.size() == 2 && has(parts[0], "type", "Split") &&
                   has(parts[1], "type", "ByteLevel");
  if (!two) return Unsupported("pre_tokenizer", Json{{"pretokenizers", parts}}, kSupported);
  const Json pattern = parts[0].value("pattern", Json());
  const Json regex = pattern.is_object() ? pattern.value("Regex", Json()) : Json();
  spec_.word_digits = regex.is_string() ? DigitsOfWordPattern(regex.get<std::string>()) : 0;
  if (spec_.word_digits == 0) {
    return Unsupported("the pattern of pre_tokenizer", pattern, kSupported);
  }
  const bool plain = has(parts[0], "behavior", "Isolated") &&
                     parts[0].value("invert", Json(false)) == false &&
                     has(parts[1], "use_regex", false) && has(parts[1], "add_prefix_space", false);
  return plain ? absl::OkStatus()
               : Unsupported("pre_tokenizer", Json{{"pretokenizers", parts}}, kSupported);
}

absl::Status Reader::ReadPreTokenizer(const Json& pre_tokenizer) {
  if (pre_tokenizer.is_null()) return absl::OkStatus();
  if (pre_tokenizer.is_object() && pre_tokenizer.value("type", Json()) == "Sequence") {
    return ReadByteLevel(pre_tokenizer.value("pretokenizers", Json()));
  }
  const Json pattern = pre_tokenizer.is_object() ? pre_tokenizer.value("pattern", Json()) : Json();
  const bool read = pre_tokenizer.is_object() && pre_tokenizer.value("type", Json()) == "Split" &&
                    pre_tokenizer.value("behavior", Json()) == "MergedWithPrevious" &&
                    pre_tokenizer.value("invert", Json(false)) == false && pattern.is_object() &&
                    pattern.size() == 1 && pattern.contains("String") &&
                    pattern["String"].is_string() && pattern["String"] != "";
  if (!read) {
    return Unsupported("pre_tokenizer", pre_tokenizer,
                       "none, or Split at a fixed text with the behavior MergedWithPrevious, or "
                       "the Sequence of Split and ByteLevel of Llama 3 and Qwen");
  }
  spec_.split_behind = pattern["String"].get<std::string>();
  return absl::OkStatus();
}

absl::Status Reader::CheckPostProcessor(const Json& post_processor) const {
  if (post_processor.is_null()) return absl::OkStatus();
  // They put special tokens around a text, which templates and rows decide here, and find offsets.
  const auto known = [](const Json& part) {
    const Json type = part.is_object() ? part.value("type", Json()) : Json();
    return type == "TemplateProcessing" || type == "ByteLevel";
  };
  if (known(post_processor)) return absl::OkStatus();
  const Json type = post_processor.is_object() ? post_processor.value("type", Json()) : Json();
  const Json parts = type == "Sequence" ? post_processor.value("processors", Json()) : Json();
  if (parts.is_array() && std::all_of(parts.begin(), parts.end(), known)) return absl::OkStatus();
  return Unsupported("post_processor", post_processor, "TemplateProcessing, ByteLevel or none");
}

absl::Status Reader::ReadDecoderStep(const std::string& field, const Json& step) {
  const Json type = step.is_object() ? step.value("type", Json()) : Json();
  if (type == "Fuse") {
    fused_ = true;
    return absl::OkStatus();
  }
  if (fused_ || (type != "Replace" && type != "ByteFallback") ||
      (type == "Replace" && spec_.decodes_bytes)) {
    return Unsupported(field, step, "Replace, then ByteFallback, then Fuse");
  }
  if (type == "Replace") return ReadReplacement(field, step, &spec_.on_decoding);
  spec_.decodes_bytes = true;
  return absl::OkStatus();
}

absl::Status Reader::ReadDecoder(const Json& decoder) {
  const Json type = decoder.is_object() ? decoder.value("type", Json()) : Json();
  joins_bytes_ = type == "ByteLevel";
  if (joins_bytes_) return absl::OkStatus();
  if (type != "Sequence") return ReadDecoderStep("decoder", decoder);
  const Json steps = decoder.value("decoders", Json());
  if (!steps.is_array()) return Broken("has no list decoder.decoders");
  for (size_t i = 0; i < steps.size(); ++i) {
    FPO_RETURN_IF_ERROR(ReadDecoderStep(absl::StrCat("decoder.decoders[", i, "]"), steps[i]));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizerSpec> ReadTokenizerJson(absl::string_view text, const std::string& file) {
  return Reader(file).Read(text);
}

}  // namespace fpo::train
