#include "train/tokenizer/sentencepiece_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/text/utf8.h"

namespace fpo::train {
namespace {

// Types of pieces.
constexpr uint64_t kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5,
                   kByte = 6;
constexpr uint64_t kBpeModel = 2;

// One field of a protobuf message.
struct WireField {
  uint64_t number = 0;
  uint64_t value = 0;       // of a varint or fixed field
  absl::string_view bytes;  // of a length-delimited field
};

// Walks through a protobuf message.
class WireMessage {
 public:
  explicit WireMessage(absl::string_view bytes) : rest_(bytes) {}
  bool done() const { return rest_.empty(); }

  // False when the bytes are no field.
  bool Next(WireField* field) {
    uint64_t tag = 0;
    if (!Varint(&tag) || tag >> 3 == 0) return false;
    *field = {tag >> 3, 0, {}};
    switch (tag & 7) {
      case 0:
        return Varint(&field->value);
      case 1:
        return Fixed(8, &field->value);
      case 5:
        return Fixed(4, &field->value);
      case 2: {
        uint64_t size = 0;
        if (!Varint(&size) || size > rest_.size()) return false;
        field->bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return true;
      }
      default:
        return false;
    }
  }

 private:
  bool Varint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(rest_[0]);
      rest_.remove_prefix(1);
      *value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool Fixed(size_t size, uint64_t* value) {
    if (rest_.size() < size) return false;
    *value = 0;
    for (size_t i = size; i > 0; --i) *value = *value << 8 | static_cast<uint8_t>(rest_[i - 1]);
    rest_.remove_prefix(size);
    return true;
  }
  absl::string_view rest_;
};

// The parts of the file that decide ids, with the defaults of its format.
struct ModelFile {
  std::vector<std::string> pieces;
  std::vector<float> scores;
  std::vector<uint64_t> types;
  uint64_t model_type = 1;
  bool suffix_spaces = false;
  std::string unk = "<unk>", bos = "<s>", eos = "</s>", pad = "<pad>";
  bool charsmap = false, dummy_prefix = true, removes_spaces = true, escapes_spaces = true;
};

absl::Status Broken(const std::string& file, absl::string_view why) {
  return absl::DataLossError(absl::StrCat(file, " is not a SentencePiece model: ", why));
}

bool ReadPiece(absl::string_view bytes, ModelFile* model) {
  WireMessage message(bytes);
  std::string piece;
  float score = 0;
  uint64_t type = kNormal;
  for (WireField field; !message.done();) {
    if (!message.Next(&field)) return false;
    if (field.number == 1) piece = std::string(field.bytes);
    if (field.number == 3) type = field.value;
    if (field.number == 2) {
      const auto raw = static_cast<uint32_t>(field.value);
      std::memcpy(&score, &raw, sizeof score);
    }
  }
  model->pieces.push_back(std::move(piece));
  model->scores.push_back(score);
  model->types.push_back(type);
  return true;
}

bool ReadTrainer(absl::string_view bytes, ModelFile* model) {
  WireMessage message(bytes);
  for (WireField field; !message.done();) {
    if (!message.Next(&field)) return false;
    if (field.number == 3) model->model_type = field.value;
    if (field.number == 24) model->suffix_spaces = field.value != 0;
    if (field.number == 45) model->unk = std::string(field.bytes);
    if (field.number == 46) model->bos = std::string(field.bytes);
    if (field.number == 47) model->eos = std::string(field.bytes);
    if (field.number == 48) model->pad = std::string(field.bytes);
  }
  return true;
}

bool ReadNormalizer(absl::string_view bytes, ModelFile* model) {
  WireMessage message(bytes);
  for (WireField field; !message.done();) {
    if (!message.Next(&field)) return false;
    if (field.number == 2) model->charsmap = !field.bytes.empty();
    if (field.number == 3) model->dummy_prefix = field.value != 0;
    if (field.number == 4) model->removes_spaces = field.value != 0;
    if (field.number == 5) model->escapes_spaces = field.value != 0;
  }
  return true;
}

absl::StatusOr<ModelFile> ReadMessages(absl::string_view bytes, const std::string& file) {
  ModelFile model;
  WireMessage message(bytes);
  for (WireField field; !message.done();) {
    bool good = message.Next(&field);
    if (good && field.number == 1) good = ReadPiece(field.bytes, &model);
    if (good && field.number == 2) good = ReadTrainer(field.bytes, &model);
    if (good && field.number == 3) good = ReadNormalizer(field.bytes, &model);
    if (!good) return Broken(file, absl::StrCat("broken after piece ", model.pieces.size()));
    if (static_cast<int64_t>(model.pieces.size()) > kTokenizerPiecesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, " has more than ", kTokenizerPiecesMax, " pieces"));
    }
  }
  if (model.pieces.empty()) return Broken(file, "it has no pieces");
  return model;
}

absl::Status CheckSettings(const ModelFile& model, const std::string& file) {
  const char* found = model.model_type != kBpeModel ? "is not of type BPE (trainer_spec.model_type)"
                      : model.charsmap              ? "normalises its text (normalizer_spec)"
                      : model.dummy_prefix          ? "puts a space in front (add_dummy_prefix)"
                      : model.removes_spaces        ? "removes spaces (remove_extra_whitespaces)"
                      : model.suffix_spaces         ? "has spaces at the end of words "
                                                      "(treat_whitespace_as_suffix)"
                      : !model.escapes_spaces       ? "does not escape spaces (escape_whitespaces)"
                                                    : nullptr;
  if (found == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(file, " ", found,
                   "; Gemma's tokenizer.model is BPE with the identity "
                   "normaliser, without an added space, and no other is read"));
}

// Every piece is well-formed, short and there once.
absl::Status CheckPieces(const ModelFile& model, const std::string& file) {
  absl::flat_hash_map<absl::string_view, size_t> seen;
  seen.reserve(model.pieces.size());
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const std::string& piece = model.pieces[id];
    const auto bad = [&](absl::string_view why) {
      return Broken(file, absl::StrCat("piece ", id, " ", why));
    };
    if (piece.empty()) return bad("is empty");
    if (piece.size() > kTokenizerPieceBytesMax) return bad("is too long");
    if (FirstInvalidUtf8(piece) != piece.size()) return bad("is not UTF-8");
    if (!std::isfinite(model.scores[id])) return bad("has a score that is not finite");
    if (model.types[id] < kNormal || model.types[id] > kByte || model.types[id] == kUnused) {
      return bad(absl::StrCat("is of type ", model.types[id]));
    }
    const auto [it, fresh] = seen.emplace(piece, id);
    if (!fresh) return bad(absl::StrCat("is the same as piece ", it->second));
  }
  return absl::OkStatus();
}

// All ways to compose a piece from two others: by the score of the whole, best first, then by the
// ids of the parts. This is the order of the published tokenizer.json.
absl::StatusOr<std::vector<BpeMerge>> MergesOf(const ModelFile& model, const std::string& file) {
  absl::flat_hash_map<absl::string_view, int32_t> ids;
  ids.reserve(model.pieces.size());
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    ids.emplace(model.pieces[id], static_cast<int32_t>(id));
  }
  std::vector<int32_t> order(model.pieces.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return model.scores[static_cast<size_t>(a)] > model.scores[static_cast<size_t>(b)];
  });
  std::vector<BpeMerge> merges;
  for (const int32_t result : order) {
    const absl::string_view piece = model.pieces[static_cast<size_t>(result)];
    const size_t first = merges.size();
    size_t at = 0;
    for (NextCodePoint(piece, &at); at < piece.size(); NextCodePoint(piece, &at)) {
      const auto left = ids.find(piece.substr(0, at));
      if (left == ids.end()) continue;
      const auto right = ids.find(piece.substr(at));
      if (right != ids.end()) merges.push_back({left->second, right->second, result});
    }
    std::sort(merges.begin() + static_cast<int64_t>(first), merges.end(),
              [](const BpeMerge& a, const BpeMerge& b) {
                return std::pair(a.left, a.right) < std::pair(b.left, b.right);
              });
    if (static_cast<int64_t>(merges.size()) > kTokenizerMergesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, " makes more than ", kTokenizerMergesMax, " merges"));
    }
  }
  return merges;
}

// Gemma's marks, which no text contains. The file calls them user-defined, as it does the newline
// runs; that they are special stands in the published tokenizer_config.json.
bool IsMark(absl::string_view piece) {
  constexpr std::array<absl::string_view, 4> kMarks = {"<start_of_turn>", "<end_of_turn>",
                                                       "<start_of_image>", "<end_of_image>"};
  return std::find(kMarks.begin(), kMarks.end(), piece) != kMarks.end();
}

std::optional<int32_t> Find(const std::vector<std::string>& pieces, const std::string& piece) {
  const auto it = std::find(pieces.begin(), pieces.end(), piece);
  if (it == pieces.end()) return std::nullopt;
  return static_cast<int32_t>(it - pieces.begin());
}

}  // namespace

absl::StatusOr<TokenizerSpec> ReadSentencePieceModel(absl::string_view bytes,
                                                     const std::string& file) {
  FPO_ASSIGN_OR_RETURN(ModelFile model, ReadMessages(bytes, file));
  FPO_RETURN_IF_ERROR(CheckSettings(model, file));
  FPO_RETURN_IF_ERROR(CheckPieces(model, file));
  // If the tab is not a piece itself, its byte takes part in the merges of runs of tabs.
  const auto tab_byte = Find(model.pieces, "<0x09>");
  if (tab_byte && !Find(model.pieces, "\t")) {
    model.pieces[static_cast<size_t>(*tab_byte)] = "\t";
  }
  TokenizerSpec spec;
  spec.file = file;
  FPO_ASSIGN_OR_RETURN(spec.bpe.merges, MergesOf(model, file));
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const uint64_t type = model.types[id];
    if (type != kUnknown && type != kControl && type != kUserDefined) continue;
    spec.added.push_back({model.pieces[id], static_cast<int32_t>(id)});
    spec.added.back().special = type != kUserDefined || IsMark(model.pieces[id]);
  }
  spec.bpe.unknown = Find(model.pieces, model.unk);
  spec.normalizer = {{" ", "▁"}};
  spec.on_decoding = {{"▁", " "}};
  spec.decodes_bytes = true;
  if (Find(model.pieces, model.bos)) spec.bos = model.bos;
  if (Find(model.pieces, model.eos)) spec.eos = model.eos;
  if (Find(model.pieces, model.pad)) spec.pad = model.pad;
  spec.bpe.pieces = std::move(model.pieces);
  return spec;
}

}  // namespace fpo::train
