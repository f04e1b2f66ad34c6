#include "train/tokenizer/tokenizer_agreement.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

namespace fpo::train {
namespace {

// The tokens of one file by id, added ones included; "" for an id that it does not have.
class TokenTable {
 public:
  explicit TokenTable(const TokenizerSpec& spec) : pieces_(spec.bpe.pieces) {
    size_ = pieces_.size();
    for (const AddedToken& token : spec.added) {
      added_.emplace(token.id, token.content);
      size_ = std::max(size_, static_cast<size_t>(token.id) + 1);
    }
  }
  size_t size() const { return size_; }
  bool IsAdded(size_t id) const { return added_.contains(static_cast<int32_t>(id)); }
  absl::string_view At(size_t id) const {
    if (id < pieces_.size()) return pieces_[id];
    const auto it = added_.find(static_cast<int32_t>(id));
    return it == added_.end() ? absl::string_view() : it->second;
  }

 private:
  const std::vector<std::string>& pieces_;
  absl::flat_hash_map<int32_t, absl::string_view> added_;
  size_t size_ = 0;
};

// One kind of difference: its count and first occurrence.
struct Difference {
  size_t count = 0, first = 0;
  void Add(size_t id) {
    if (count++ == 0) first = id;
  }
};

std::string Named(absl::string_view token) {
  return token.empty() ? "absent" : absl::StrCat("\"", token, "\"");
}

}  // namespace

absl::Status CheckTokenizersAgree(const TokenizerSpec& json, const TokenizerSpec& model,
                                  std::vector<std::string>* warnings) {
  const TokenTable used(json), other(model);
  Difference differs, renamed, unmarked;
  for (size_t id = 0; id < std::max(used.size(), other.size()); ++id) {
    const absl::string_view a = used.At(id), b = other.At(id);
    // Some converters keep the byte's name for the tab.
    const bool same = a == b || (a == "<0x09>" && b == "\t");
    if (id >= other.size() && used.IsAdded(id)) continue;  // added after the pieces
    if (!same) {
      (other.IsAdded(id) && !a.empty() ? renamed : differs).Add(id);
    } else if (other.IsAdded(id) && !used.IsAdded(id)) {
      unmarked.Add(id);
    }
  }
  if (differs.count > 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        json.file, " and ", model.file, " are of different tokenizers: ", differs.count,
        " pieces differ, the first is id ", differs.first, ", ", Named(used.At(differs.first)),
        " in tokenizer.json and ", Named(other.At(differs.first)),
        " in tokenizer.model; remove the file that does not belong to the weights"));
  }
  if (renamed.count > 0) {
    warnings->push_back(absl::StrCat(
        renamed.count, " reserved pieces have another name in ", json.file,
        ", which is used, than in tokenizer.model beside it; the first is id ", renamed.first, ", ",
        Named(used.At(renamed.first)), " and ", Named(other.At(renamed.first))));
  }
  if (unmarked.count > 0) {
    warnings->push_back(absl::StrCat(
        unmarked.count, " pieces that are one id wherever they stand in a text according to ",
        model.file, " are not among the added tokens of tokenizer.json, which is used and may ",
        "spell them out; the first is id ", unmarked.first, ", ", Named(used.At(unmarked.first))));
  }
  return absl::OkStatus();
}

}  // namespace fpo::train
