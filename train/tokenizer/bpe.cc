#include "train/tokenizer/bpe.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/text/utf8.h"

namespace fpo::train {
namespace {

constexpr uint32_t kNone = 0xFFFFFFFF;  // no rank, no neighbour
constexpr int kSeamBits = 22;           // half a megabyte
constexpr size_t kCodePoints = 0x110000;

uint64_t PairKey(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

uint64_t SeamBit(int32_t left, int32_t right) {
  return PairKey(left, right) * 0x9E3779B97F4A7C15u >> (64 - kSeamBits);
}

// The code point of a piece that is one character, else -1.
int32_t OnlyCodePoint(absl::string_view piece) {
  if (piece.empty() || piece.size() > 4) return -1;
  size_t at = 0;
  const int32_t code = NextCodePoint(piece, &at);
  return at == piece.size() ? code : -1;
}

int32_t FirstCodePoint(absl::string_view piece) {
  size_t at = 0;
  return piece.empty() ? -1 : NextCodePoint(piece, &at);
}

int32_t LastCodePoint(absl::string_view piece) {
  size_t at = piece.size();
  while (at > 0 && (static_cast<uint8_t>(piece[--at]) & 0xC0) == 0x80) {
  }
  return piece.empty() ? -1 : NextCodePoint(piece, &at);
}

}  // namespace

struct Bpe::Symbol {
  int32_t id;
  uint32_t previous, next;  // kNone at the ends
  uint32_t rank;            // of the pair with `next`; kNone: no merge, or merged away
};

// A stretch of text that no merge crosses.
struct Bpe::Word {
  std::vector<Symbol> symbols;
  std::vector<uint64_t> queue;  // rank << 32 | position, the least on top
};

Bpe::Bpe(BpeModel model)
    : model_(std::move(model)), id_of_code_point_(kCodePoints, -1), id_of_byte_(256, -1) {
  ids_.reserve(model_.pieces.size());
  for (size_t id = 0; id < model_.pieces.size(); ++id) {
    const std::string& piece = model_.pieces[id];
    ids_[piece] = static_cast<int32_t>(id);
    const int32_t code = OnlyCodePoint(piece);
    if (code >= 0) id_of_code_point_[static_cast<size_t>(code)] = static_cast<int32_t>(id);
  }
  for (size_t byte = 0; byte < 256; ++byte) {
    id_of_byte_[byte] = IdOf(absl::StrFormat("<0x%02X>", byte)).value_or(-1);
  }
  rank_of_pair_.reserve(model_.merges.size());
  for (size_t rank = 0; rank < model_.merges.size(); ++rank) {
    const BpeMerge& merge = model_.merges[rank];
    rank_of_pair_[PairKey(merge.left, merge.right)] = static_cast<uint32_t>(rank);
  }
  FindSeams();
}

// A merge joins the last character of its left side and the first of its right side. That holds
// only if every symbol represents its own characters, which bytes and `unknown` do not.
void Bpe::FindSeams() {
  std::vector<uint64_t> seams((size_t{1} << kSeamBits) / 64, 0);
  std::vector<bool> odd(model_.pieces.size(), false);
  for (const int32_t id : id_of_byte_) {
    if (id >= 0) odd[static_cast<size_t>(id)] = true;
  }
  if (model_.unknown) odd[static_cast<size_t>(*model_.unknown)] = true;
  for (const BpeMerge& merge : model_.merges) {
    const auto left = static_cast<size_t>(merge.left), right = static_cast<size_t>(merge.right);
    if (odd[left] || odd[right]) return;
    const int32_t last = LastCodePoint(model_.pieces[left]);
    const int32_t first = FirstCodePoint(model_.pieces[right]);
    if (last < 0 || first < 0) return;
    const uint64_t bit = SeamBit(id_of_code_point_[static_cast<size_t>(last)],
                                 id_of_code_point_[static_cast<size_t>(first)]);
    seams[bit / 64] |= uint64_t{1} << bit % 64;
  }
  seams_ = std::move(seams);
}

bool Bpe::MayJoin(int32_t left, int32_t right) const {
  if (seams_.empty()) return true;
  const uint64_t bit = SeamBit(left, right);
  return (seams_[bit / 64] >> bit % 64 & 1) != 0;
}

std::optional<int32_t> Bpe::IdOf(absl::string_view piece) const {
  const auto it = ids_.find(piece);
  if (it == ids_.end()) return std::nullopt;
  return it->second;
}

void Bpe::Encode(absl::string_view text, std::vector<int32_t>* ids) const {
  if (model_.ignore_merges) {
    if (const auto whole = IdOf(text)) {
      ids->push_back(*whole);
      return;
    }
  }
  Word word;
  Atoms(text, &word, ids);
  Finish(&word, ids);
}

// An unknown stretch is emitted with the next piece, so bytes inside it come before it: the order
// of the `tokenizers` library.
void Bpe::Atoms(absl::string_view text, Word* word, std::vector<int32_t>* ids) const {
  bool unknown_waits = false;
  const auto add_waiting = [&] {
    if (unknown_waits) Add(*model_.unknown, word, ids);
    unknown_waits = false;
  };
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const int32_t code = NextCodePoint(text, &at);
    if (code < 0) return;
    if (const int32_t id = id_of_code_point_[static_cast<size_t>(code)]; id >= 0) {
      add_waiting();
      Add(id, word, ids);
      continue;
    }
    const absl::string_view character = text.substr(begin, at - begin);
    const auto byte_id = [&](char c) { return id_of_byte_[static_cast<uint8_t>(c)]; };
    if (model_.byte_fallback &&
        std::all_of(character.begin(), character.end(), [&](char c) { return byte_id(c) >= 0; })) {
      for (const char c : character) Add(byte_id(c), word, ids);
    } else if (model_.unknown) {
      if (!model_.fuse_unknown) add_waiting();
      unknown_waits = true;
    }
  }
  add_waiting();
}

void Bpe::Add(int32_t atom, Word* word, std::vector<int32_t>* ids) const {
  auto& symbols = word->symbols;
  if (!symbols.empty() && !MayJoin(symbols.back().id, atom)) Finish(word, ids);
  const auto at = static_cast<uint32_t>(symbols.size());
  if (at > 0) symbols.back().next = at;
  symbols.push_back({atom, at == 0 ? kNone : at - 1, kNone, kNone});
}

void Bpe::Finish(Word* word, std::vector<int32_t>* ids) const {
  if (word->symbols.empty()) return;
  if (word->symbols.size() > 1) Merge(word);
  for (uint32_t at = 0; at != kNone; at = word->symbols[at].next) {
    ids->push_back(word->symbols[at].id);
  }
  word->symbols.clear();
}

// Looks up the pair that begins at `at` and queues it when it can merge.
void Bpe::Rank(size_t at, Word* word) const {
  Symbol& symbol = word->symbols[at];
  symbol.rank = kNone;
  if (symbol.next == kNone) return;
  const auto it = rank_of_pair_.find(PairKey(symbol.id, word->symbols[symbol.next].id));
  if (it == rank_of_pair_.end()) return;
  symbol.rank = it->second;
  word->queue.push_back(static_cast<uint64_t>(symbol.rank) << 32 | at);
}

void Bpe::Merge(Word* word) const {
  auto& queue = word->queue;
  auto& symbols = word->symbols;
  const std::greater<> least_first;
  queue.clear();
  for (size_t at = 0; at < symbols.size(); ++at) Rank(at, word);
  std::make_heap(queue.begin(), queue.end(), least_first);
  const auto rank_again = [&](size_t at) {
    const size_t before = queue.size();
    Rank(at, word);
    if (queue.size() > before) std::push_heap(queue.begin(), queue.end(), least_first);
  };
  while (!queue.empty()) {
    std::pop_heap(queue.begin(), queue.end(), least_first);
    const uint64_t top = queue.back();
    queue.pop_back();
    const auto at = static_cast<uint32_t>(top);
    const auto rank = static_cast<uint32_t>(top >> 32);
    Symbol& left = symbols[at];
    if (left.rank != rank) continue;  // one of the two has merged otherwise since
    Symbol& right = symbols[left.next];
    left.id = model_.merges[rank].result;
    left.next = right.next;
    right.rank = kNone;
    if (left.next != kNone) symbols[left.next].previous = at;
    rank_again(at);
    if (left.previous != kNone) rank_again(left.previous);
  }
}

}  // namespace fpo::train
