#include "train/tokenizer/tokenizer_json_writer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fpo::train {
namespace {

using OrderedJson = nlohmann::ordered_json;

// Appends the items of a list, each by `write` on a line of its own.
template <typename Items, typename Write>
void AppendLines(const Items& items, const Write& write, std::string* out) {
  bool first = true;
  for (const auto& item : items) {
    out->append(first ? "\n      " : ",\n      ");
    first = false;
    write(item);
  }
  out->append("\n    ");
}

void AppendQuoted(absl::string_view text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) {
      constexpr char kDigits[] = "0123456789abcdef";
      absl::StrAppend(out, "\\u00", absl::string_view(&kDigits[c >> 4], 1),
                      absl::string_view(&kDigits[c & 15], 1));
      continue;
    }
    if (c == '"' || c == '\\') out->push_back('\\');
    out->push_back(c);
  }
  out->push_back('"');
}

std::vector<AddedToken> ById(std::vector<AddedToken> tokens) {
  std::sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return tokens;
}

OrderedJson FlagsOf(const AddedToken& token) {
  return {{"content", token.content}, {"single_word", false},           {"lstrip", token.lstrip},
          {"rstrip", token.rstrip},   {"normalized", token.normalized}, {"special", token.special}};
}

OrderedJson Replacement(const TextReplacement& r) {
  return {{"type", "Replace"}, {"pattern", {{"String", r.pattern}}}, {"content", r.content}};
}

OrderedJson NormalizerOf(const TokenizerSpec& spec) {
  if (spec.normalizer.empty()) return nullptr;
  if (spec.normalizer.size() == 1) return Replacement(spec.normalizer[0]);
  OrderedJson parts = OrderedJson::array();
  for (const TextReplacement& r : spec.normalizer) parts.push_back(Replacement(r));
  return {{"type", "Sequence"}, {"normalizers", parts}};
}

OrderedJson PreTokenizerOf(const TokenizerSpec& spec) {
  if (spec.split_behind.empty()) return nullptr;
  return {{"type", "Split"},
          {"pattern", {{"String", spec.split_behind}}},
          {"behavior", "MergedWithPrevious"},
          {"invert", false}};
}

OrderedJson DecoderOf(const TokenizerSpec& spec) {
  OrderedJson steps = OrderedJson::array();
  for (const TextReplacement& r : spec.on_decoding) steps.push_back(Replacement(r));
  if (spec.decodes_bytes) steps.push_back({{"type", "ByteFallback"}});
  steps.push_back({{"type", "Fuse"}});
  return {{"type", "Sequence"}, {"decoders", steps}};
}

int32_t IdOf(const std::string& token, const TokenizerSpec& spec) {
  for (const AddedToken& added : spec.added) {
    if (added.content == token) return added.id;
  }
  const auto& pieces = spec.bpe.pieces;
  return static_cast<int32_t>(std::find(pieces.begin(), pieces.end(), token) - pieces.begin());
}

// BOS in front of each text.
OrderedJson PostProcessorOf(const TokenizerSpec& spec) {
  if (!spec.bos) return nullptr;
  const auto bos = [&](int type) {
    return OrderedJson{{"SpecialToken", {{"id", *spec.bos}, {"type_id", type}}}};
  };
  const auto text = [](const char* id, int type) {
    return OrderedJson{{"Sequence", {{"id", id}, {"type_id", type}}}};
  };
  OrderedJson tokens;
  tokens[*spec.bos] = {{"id", *spec.bos},
                       {"ids", OrderedJson::array({IdOf(*spec.bos, spec)})},
                       {"tokens", OrderedJson::array({*spec.bos})}};
  return {{"type", "TemplateProcessing"},
          {"single", OrderedJson::array({bos(0), text("A", 0)})},
          {"pair", OrderedJson::array({bos(0), text("A", 0), bos(1), text("B", 1)})},
          {"special_tokens", tokens}};
}

// The older form of a merge, "a b", is the only one before tokenizers 0.20 and read by all later
// ones, but it cannot name a piece with a space, and a line "#version" is skipped.
bool FitOlderForm(const TokenizerSpec& spec) {
  return std::all_of(spec.bpe.merges.begin(), spec.bpe.merges.end(), [&](const BpeMerge& merge) {
    const auto& left = spec.bpe.pieces[static_cast<size_t>(merge.left)];
    const auto& right = spec.bpe.pieces[static_cast<size_t>(merge.right)];
    return !absl::StrContains(left, ' ') && !absl::StrContains(right, ' ') &&
           !absl::StartsWith(left, "#version");
  });
}

void AppendMerges(const TokenizerSpec& spec, std::string* out) {
  const bool older = FitOlderForm(spec);
  const auto piece = [&](int32_t id) -> const std::string& {
    return spec.bpe.pieces[static_cast<size_t>(id)];
  };
  AppendLines(
      spec.bpe.merges,
      [&](const BpeMerge& merge) {
        if (older) {
          AppendQuoted(absl::StrCat(piece(merge.left), " ", piece(merge.right)), out);
          return;
        }
        out->push_back('[');
        AppendQuoted(piece(merge.left), out);
        out->append(", ");
        AppendQuoted(piece(merge.right), out);
        out->push_back(']');
      },
      out);
}

void AppendModel(const TokenizerSpec& spec, std::string* out) {
  const BpeModel& bpe = spec.bpe;
  const OrderedJson unknown =
      bpe.unknown ? OrderedJson(bpe.pieces[static_cast<size_t>(*bpe.unknown)]) : OrderedJson();
  const OrderedJson settings = {{"type", "BPE"},
                                {"dropout", nullptr},
                                {"unk_token", unknown},
                                {"continuing_subword_prefix", nullptr},
                                {"end_of_word_suffix", nullptr},
                                {"fuse_unk", bpe.fuse_unknown},
                                {"byte_fallback", bpe.byte_fallback},
                                {"ignore_merges", bpe.ignore_merges}};
  out->append("{\n");
  for (const auto& [key, value] : settings.items()) {
    absl::StrAppend(out, "    \"", key, "\": ", value.dump(), ",\n");
  }
  out->append("    \"vocab\": {");
  int32_t id = 0;
  AppendLines(
      bpe.pieces,
      [&](const std::string& piece) {
        AppendQuoted(piece, out);
        absl::StrAppend(out, ": ", id++);
      },
      out);
  out->append("},\n    \"merges\": [");
  AppendMerges(spec, out);
  out->append("]\n  }");
}

// Special tokens that have no name of their own.
std::vector<std::string> OtherSpecialTokens(const TokenizerSpec& spec) {
  std::vector<std::string> contents;
  for (const AddedToken& token : ById(spec.added)) {
    const bool named = token.content == spec.bos || token.content == spec.eos ||
                       token.content == spec.pad || token.id == spec.bpe.unknown;
    if (token.special && !named) contents.push_back(token.content);
  }
  return contents;
}

}  // namespace

std::string TokenizerJsonText(const TokenizerSpec& spec) {
  std::string out =
      "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n"
      "  \"added_tokens\": [";
  size_t bytes = spec.bpe.merges.size() * 32;
  for (const std::string& piece : spec.bpe.pieces) bytes += piece.size() * 2 + 24;
  out.reserve(bytes + spec.added.size() * 160);
  AppendLines(
      ById(spec.added),
      [&](const AddedToken& token) {
        OrderedJson json = {{"id", token.id}};
        json.update(FlagsOf(token));
        out += json.dump();
      },
      &out);
  out.append("],\n");
  const std::pair<const char*, OrderedJson> parts[] = {{"normalizer", NormalizerOf(spec)},
                                                       {"pre_tokenizer", PreTokenizerOf(spec)},
                                                       {"post_processor", PostProcessorOf(spec)},
                                                       {"decoder", DecoderOf(spec)}};
  for (const auto& [key, value] : parts) {
    absl::StrAppend(&out, "  \"", key, "\": ", value.dump(), ",\n");
  }
  out.append("  \"model\": ");
  AppendModel(spec, &out);
  out.append("\n}\n");
  return out;
}

std::string TokenizerConfigText(const TokenizerSpec& spec) {
  OrderedJson json = {{"add_bos_token", spec.bos.has_value()}, {"add_eos_token", false}};
  OrderedJson& added = json["added_tokens_decoder"] = OrderedJson::object();
  for (const AddedToken& token : ById(spec.added)) added[std::to_string(token.id)] = FlagsOf(token);
  json["additional_special_tokens"] = OtherSpecialTokens(spec);
  const auto name = [](const std::optional<std::string>& token) {
    return token ? OrderedJson(*token) : OrderedJson();
  };
  json["bos_token"] = name(spec.bos);
  json["clean_up_tokenization_spaces"] = false;
  json["eos_token"] = name(spec.eos);
  json["pad_token"] = name(spec.pad);
  json["sp_model_kwargs"] = OrderedJson::object();
  json["spaces_between_special_tokens"] = false;
  json["tokenizer_class"] = spec.byte_level() ? "PreTrainedTokenizerFast" : "GemmaTokenizer";
  json["unk_token"] = spec.bpe.unknown
                          ? OrderedJson(spec.bpe.pieces[static_cast<size_t>(*spec.bpe.unknown)])
                          : OrderedJson();
  json["use_default_system_prompt"] = false;
  return json.dump(2) + "\n";
}

}  // namespace fpo::train
