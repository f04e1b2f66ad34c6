#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace fpo::train {

// A SentencePiece BPE model of about 330 pieces with Gemma's layout: pad 0, eos 1, bos 2, unk 3,
// then the turn marks and newline runs as user-defined pieces, bytes, letters, and a few merges
// ("ab" < "abc" < "▁abc"). The bytes of a tokenizer.model.
class TinyTokenizerModel {
 public:
  TinyTokenizerModel() {
    for (const char* control : {"<pad>", "<eos>", "<bos>"}) Add(control, 0, 3);
    Add("<unk>", 0, 2);
    for (const char* piece : {"<start_of_turn>", "<end_of_turn>", "\n", "\n\n"}) Add(piece, 0, 4);
    const char* hex = "0123456789ABCDEF";
    for (int b = 0; b < 256; ++b) Add(std::string("<0x") + hex[b >> 4] + hex[b & 15] + ">", 0, 6);
    const std::vector<std::string> merges = {"ab",   "abc", "▁a",   "▁abc", "us",
                                             "user", "mo",  "mod",  "mode", "model",
                                             "th",   "the", "▁the", "er",   "el"};
    for (const std::string& merge : merges) Add(merge, -static_cast<float>(++normal_), 1);
    Add("▁", -static_cast<float>(++normal_), 1);
    for (char c = '!'; c <= '~'; ++c) Add(std::string(1, c), -static_cast<float>(++normal_), 1);
    // trainer_spec: BPE, byte fallback, ids of unk, bos, eos, pad. normalizer_spec: identity, no
    // dummy prefix, spaces kept.
    Field(2, Number(3, 2) + Number(35, 1) + Number(40, 3) + Number(41, 2) + Number(42, 1) +
                 Number(43, 0) + Text(45, "<unk>") + Text(46, "<bos>") + Text(47, "<eos>") +
                 Text(48, "<pad>"));
    Field(3, Text(1, "identity") + Number(3, 0) + Number(4, 0) + Number(5, 1));
  }
  const std::string& bytes() const { return bytes_; }

 private:
  static std::string Varint(uint64_t value) {
    std::string out;
    for (; value >= 128; value >>= 7) out.push_back(static_cast<char>(value | 128));
    out.push_back(static_cast<char>(value));
    return out;
  }
  static std::string Number(int field, uint64_t value) {
    return Varint(static_cast<uint64_t>(field) << 3) + Varint(value);
  }
  static std::string Text(int field, const std::string& text) {
    return Varint(static_cast<uint64_t>(field) << 3 | 2) + Varint(text.size()) + text;
  }
  void Field(int field, const std::string& body) { bytes_ += Text(field, body); }
  void Add(const std::string& piece, float score, int type) {
    std::string raw(4, '\0');
    std::memcpy(raw.data(), &score, 4);
    Field(1, Text(1, piece) + Varint(2 << 3 | 5) + raw + Number(3, static_cast<uint64_t>(type)));
  }
  std::string bytes_;
  int normal_ = 0;
};

inline std::string TinyTokenizerBytes() { return TinyTokenizerModel().bytes(); }

}  // namespace fpo::train
