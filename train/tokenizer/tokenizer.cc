#include "train/tokenizer/tokenizer.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/status_macros.h"
#include "common/text/utf8.h"
#include "train/tokenizer/tokenizer_folder.h"
#include "train/tokenizer/tokenizer_spec.h"
#include "train/tokenizer/words/byte_level.h"
#include "train/tokenizer/words/nfc.h"
#include "train/tokenizer/words/word_split.h"

namespace fpo::train {
namespace {

constexpr size_t kTextBytesMax = size_t{64} << 20;
constexpr char kReplacement[] = "\xEF\xBF\xBD";  // U+FFFD
constexpr char kImageToken[] = "<image_soft_token>";

std::string WithReplacements(absl::string_view text,
                             const std::vector<TextReplacement>& replacements) {
  std::string out(text);
  for (const TextReplacement& r : replacements) {
    absl::StrReplaceAll({{r.pattern, r.content}}, &out);
  }
  return out;
}

std::string Normalised(absl::string_view text, const TokenizerSpec& spec) {
  return WithReplacements(spec.nfc ? NormalisedToNfc(text) : std::string(text), spec.normalizer);
}

// The byte that a piece "<0x41>" stands for when decoding; -1: none.
int ByteOf(absl::string_view piece) {
  if (piece.size() != 6 || piece.substr(0, 3) != "<0x" || piece[5] != '>') return -1;
  int byte = 0;
  for (const char c : piece.substr(3, 2)) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return -1;
    const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    byte = byte * 16 + digit;
  }
  return byte;
}

// The tokens that are matched in the text as given, or in the normalised text.
std::vector<AddedToken> Chosen(const TokenizerSpec& spec, bool normalized) {
  std::vector<AddedToken> tokens;
  for (const AddedToken& token : spec.added) {
    if (token.normalized != normalized) continue;
    tokens.push_back(token);
    if (normalized) tokens.back().content = Normalised(token.content, spec);
  }
  return tokens;
}

Digest DigestOf(const TokenizerSpec& spec) {
  Sha256 hash;
  std::string text = "fpo-tokenizer-1\n";
  const auto add = [&text](absl::string_view part) {
    absl::StrAppend(&text, part.size(), ":", part, "\n");
  };
  const BpeModel& bpe = spec.bpe;
  absl::StrAppend(&text, bpe.byte_fallback, bpe.fuse_unknown, bpe.ignore_merges, " ",
                  bpe.unknown.value_or(-1), "\n");
  for (const auto* list : {&spec.normalizer, &spec.on_decoding}) {
    absl::StrAppend(&text, list->size(), "\n");
    for (const TextReplacement& r : *list) {
      add(r.pattern);
      add(r.content);
    }
  }
  add(spec.split_behind);
  if (spec.byte_level()) absl::StrAppend(&text, "byte-level ", spec.word_digits, spec.nfc, "\n");
  for (const auto* token : {&spec.bos, &spec.eos, &spec.pad}) add(token->value_or(""));
  std::vector<AddedToken> added = spec.added;
  std::sort(added.begin(), added.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  absl::StrAppend(&text, added.size(), "\n");
  for (const AddedToken& token : added) {
    absl::StrAppend(&text, token.id, " ", token.lstrip, token.rstrip, token.normalized, "\n");
    add(token.content);
  }
  absl::StrAppend(&text, bpe.pieces.size(), "\n");
  for (const std::string& piece : bpe.pieces) add(piece);
  hash.Update(text);
  hash.Update(absl::string_view(reinterpret_cast<const char*>(bpe.merges.data()),
                                bpe.merges.size() * sizeof(BpeMerge)));
  return hash.Finish();
}

}  // namespace

struct Tokenizer::State {
  State() : bpe(BpeModel()), added({}), added_normalized({}) {}
  explicit State(TokenizerSpec from)
      : digest(DigestOf(from)),
        bpe(std::move(from.bpe)),
        added(Chosen(from, false)),
        added_normalized(Chosen(from, true)),
        spec(std::move(from)) {
    tokens = bpe.model().pieces;
    for (const AddedToken& token : spec.added) {
      const auto id = static_cast<size_t>(token.id);
      if (id >= tokens.size()) tokens.resize(id + 1);
      tokens[id] = token.content;
      added_ids[token.content] = token.id;
      if (token.special) special.insert(token.id);
    }
    absence.id_count = static_cast<int32_t>(tokens.size());
  }

  std::optional<int32_t> IdOf(absl::string_view piece) const {
    const auto it = added_ids.find(piece);
    if (it != added_ids.end()) return it->second;
    return spec.byte_level() ? bpe.IdOf(ByteCharsOf(piece)) : bpe.IdOf(piece);
  }
  int32_t IdOf(const std::optional<std::string>& token) const {
    return token ? IdOf(absl::string_view(*token)).value_or(-1) : -1;
  }
  void EncodePlain(absl::string_view text, std::vector<int32_t>* ids) const;
  void EncodeNormalised(absl::string_view text, std::vector<int32_t>* ids) const;

  Absence absence;
  Digest digest{};
  Bpe bpe;
  AddedTokens added, added_normalized;
  TokenizerSpec spec;               // without its bpe, which has moved
  std::vector<std::string> tokens;  // by id
  absl::flat_hash_map<std::string, int32_t> added_ids;
  absl::flat_hash_set<int32_t> special;
  int64_t spare_rows = 0;
  std::vector<std::string> warnings;
  int32_t pad = -1;
};

void Tokenizer::State::EncodePlain(absl::string_view text, std::vector<int32_t>* ids) const {
  const std::string normalised = Normalised(text, spec);
  added_normalized.Split(
      normalised, [&](absl::string_view part) { EncodeNormalised(part, ids); },
      [&](int32_t id) { ids->push_back(id); });
}

void Tokenizer::State::EncodeNormalised(absl::string_view text, std::vector<int32_t>* ids) const {
  if (spec.byte_level()) {
    SplitWords(text, spec.word_digits,
               [&](absl::string_view word) { bpe.Encode(ByteCharsOf(word), ids); });
    return;
  }
  const std::string& mark = spec.split_behind;
  while (!text.empty()) {
    const size_t found = mark.empty() ? text.npos : text.find(mark);
    const size_t end = found == text.npos ? text.size() : found + mark.size();
    bpe.Encode(text.substr(0, end), ids);
    text.remove_prefix(end);
  }
}

Tokenizer::Tokenizer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

absl::StatusOr<Tokenizer> Tokenizer::Make(TokenizerSpec spec, std::vector<std::string> warnings) {
  auto state = std::make_unique<State>(std::move(spec));
  state->warnings = std::move(warnings);
  state->absence.bos = state->IdOf(state->spec.bos);
  state->absence.eos = state->IdOf(state->spec.eos);
  state->pad = state->IdOf(state->spec.pad);
  for (const int32_t id : {state->absence.bos, state->absence.eos, state->pad}) {
    if (id >= 0) state->special.insert(id);
  }
  return Tokenizer(std::move(state));
}

absl::StatusOr<Tokenizer> Tokenizer::Open(const std::string& model_folder) {
  FPO_ASSIGN_OR_RETURN(TokenizerFiles files, ReadTokenizerFolder(model_folder));
  return Make(std::move(files.spec), std::move(files.warnings));
}

absl::StatusOr<Tokenizer> Tokenizer::OpenFile(const std::string& file) {
  FPO_ASSIGN_OR_RETURN(TokenizerSpec spec, ReadTokenizerFile(file));
  return Make(std::move(spec), {});
}

Tokenizer Tokenizer::Absent(Absence absence) {
  auto state = std::make_unique<State>();
  state->absence = std::move(absence);
  return Tokenizer(std::move(state));
}

absl::StatusOr<std::vector<int32_t>> Tokenizer::Encode(absl::string_view text,
                                                       absl::Span<const size_t> literal) const {
  FPO_RETURN_IF_ERROR(present());
  if (text.size() > kTextBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("a text of ", text.size(), " bytes; at most ",
                                                   kTextBytesMax, " are tokenised at once"));
  }
  if (const size_t bad = FirstInvalidUtf8(text); bad != text.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a text that is not UTF-8: byte ", bad, " of ", text.size()));
  }
  std::vector<int32_t> ids;
  state_->added.Split(
      text, [&](absl::string_view part) { state_->EncodePlain(part, &ids); },
      [&](int32_t id) { ids.push_back(id); }, literal);
  return ids;
}

absl::Status Tokenizer::CheckId(int32_t id) const {
  if (id >= 0 && id < size()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("token id ", id, " is outside the vocabulary of ", size()));
}

absl::StatusOr<std::string> Tokenizer::DecodeBytes(absl::Span<const int32_t> ids) const {
  std::string bytes;
  for (const int32_t id : ids) {
    FPO_RETURN_IF_ERROR(CheckId(id));
    AppendBytesOf(PieceOf(id), &bytes);
  }
  return LossyUtf8(bytes);
}

// As in the `tokenizers` library: a run of byte pieces decodes to its text when that is UTF-8,
// otherwise to one U+FFFD per byte.
absl::StatusOr<std::string> Tokenizer::Decode(absl::Span<const int32_t> ids) const {
  FPO_RETURN_IF_ERROR(present());
  if (byte_level()) return DecodeBytes(ids);
  std::string text, bytes;
  const auto flush = [&] {
    const bool good = FirstInvalidUtf8(bytes) == bytes.size();
    for (size_t i = 0; i < bytes.size(); ++i) text += good ? bytes.substr(i, 1) : kReplacement;
    bytes.clear();
  };
  for (const int32_t id : ids) {
    FPO_RETURN_IF_ERROR(CheckId(id));
    const std::string piece = WithReplacements(PieceOf(id), state_->spec.on_decoding);
    const int byte = state_->spec.decodes_bytes ? ByteOf(piece) : -1;
    if (byte >= 0) {
      bytes.push_back(static_cast<char>(byte));
      continue;
    }
    flush();
    text += piece;
  }
  flush();
  return text;
}

std::optional<int32_t> Tokenizer::IdOf(absl::string_view piece) const {
  return state_->IdOf(piece);
}
const std::string& Tokenizer::PieceOf(int32_t id) const {
  return state_->tokens[static_cast<size_t>(id)];
}
bool Tokenizer::IsAdded(int32_t id) const {
  const auto it = state_->added_ids.find(PieceOf(id));
  return it != state_->added_ids.end() && it->second == id;
}
bool Tokenizer::IsSpecial(int32_t id) const { return state_->special.contains(id); }
int32_t Tokenizer::size() const { return static_cast<int32_t>(state_->tokens.size()); }
bool Tokenizer::byte_level() const { return state_->spec.byte_level(); }
int32_t Tokenizer::pad() const { return state_->pad; }
int32_t Tokenizer::bos() const { return state_->absence.bos; }
int32_t Tokenizer::eos() const { return state_->absence.eos; }
absl::Status Tokenizer::present() const { return state_->absence.why; }
const std::string& Tokenizer::file() const { return state_->spec.file; }
const std::vector<std::string>& Tokenizer::warnings() const { return state_->warnings; }
Digest Tokenizer::digest() const { return state_->digest; }
int32_t Tokenizer::id_limit() const { return state_->absence.id_count; }

int64_t Tokenizer::spare_rows() const { return state_->spare_rows; }

absl::Status Tokenizer::LimitTo(int64_t embedding_rows) {
  state_->spare_rows = std::max<int64_t>(0, embedding_rows - size());
  if (size() <= embedding_rows) return absl::OkStatus();
  const bool only_image = size() == embedding_rows + 1 && state_->tokens.back() == kImageToken;
  if (!only_image) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the tokenizer ", file(), " has ", size(), " ids, but the model's embedding has only ",
        embedding_rows, " rows (vocab_size of config.json); the first id without a row is \"",
        PieceOf(static_cast<int32_t>(embedding_rows)),
        "\"; use the tokenizer of this model, or resize the model's embedding"));
  }
  state_->absence.id_count = static_cast<int32_t>(embedding_rows);
  return absl::OkStatus();
}

}  // namespace fpo::train
