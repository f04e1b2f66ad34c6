#include "train/tokenizer/added_tokens.h"

#include <algorithm>
#include <utility>

#include "common/text/utf8.h"
#include "train/tokenizer/words/code_ranges.h"

namespace fpo::train {
namespace {

// Where the white space that ends at `end` begins, not before `least`.
size_t SpaceBefore(absl::string_view text, size_t least, size_t end) {
  while (end > least) {
    size_t begin = end - 1;
    while (begin > least && (static_cast<uint8_t>(text[begin]) & 0xC0) == 0x80) --begin;
    size_t at = begin;
    if (!IsWhiteSpace(NextCodePoint(text, &at))) break;
    end = begin;
  }
  return end;
}

// Where the white space that begins at `begin` ends.
size_t SpaceBehind(absl::string_view text, size_t begin) {
  while (begin < text.size()) {
    size_t at = begin;
    if (!IsWhiteSpace(NextCodePoint(text, &at))) break;
    begin = at;
  }
  return begin;
}

uint64_t Step(uint32_t node, char byte) { return uint64_t{node} << 8 | static_cast<uint8_t>(byte); }

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens)
    : tokens_(std::move(tokens)), token_of_node_(1, -1), starts_(256, false) {
  for (size_t number = 0; number < tokens_.size(); ++number) {
    const std::string& content = tokens_[number].content;
    if (content.empty()) continue;
    starts_[static_cast<uint8_t>(content[0])] = true;
    uint32_t node = 0;
    for (const char byte : content) {
      const auto fresh = static_cast<uint32_t>(token_of_node_.size());
      const auto [it, inserted] = next_node_.try_emplace(Step(node, byte), fresh);
      if (inserted) token_of_node_.push_back(-1);
      node = it->second;
    }
    token_of_node_[node] = static_cast<int32_t>(number);
  }
}

int32_t AddedTokens::LongestAt(absl::string_view text, size_t begin) const {
  int32_t longest = -1;
  uint32_t node = 0;
  for (size_t at = begin; at < text.size(); ++at) {
    const auto it = next_node_.find(Step(node, text[at]));
    if (it == next_node_.end()) break;
    node = it->second;
    if (token_of_node_[node] >= 0) longest = token_of_node_[node];
  }
  return longest;
}

// The search resumes after the content of the last token, even where that token took white space
// along: a newline token swallowed by "<mark>" with rstrip is still emitted, as in the `tokenizers`
// library.
void AddedTokens::Split(absl::string_view text, absl::FunctionRef<void(absl::string_view)> plain,
                        absl::FunctionRef<void(int32_t)> token,
                        absl::Span<const size_t> literal) const {
  size_t taken = 0;
  for (size_t at = 0; at < text.size();) {
    while (!literal.empty() && literal.front() < at) literal.remove_prefix(1);
    if (!literal.empty() && literal.front() == at) {
      // Cut behind its first byte: neither normalised tokens nor merges can make it whole again.
      ++at;
      plain(text.substr(taken, at - taken));
      taken = at;
      continue;
    }
    const int32_t number = starts_[static_cast<uint8_t>(text[at])] ? LongestAt(text, at) : -1;
    if (number < 0) {
      ++at;
      continue;
    }
    const AddedToken& found = tokens_[static_cast<size_t>(number)];
    size_t begin = at;
    at += found.content.size();
    if (found.lstrip) begin = std::max(taken, SpaceBefore(text, taken, begin));
    if (taken < begin) plain(text.substr(taken, begin - taken));
    token(found.id);
    taken = found.rstrip ? SpaceBehind(text, at) : at;
  }
  if (taken < text.size()) plain(text.substr(taken));
}

}  // namespace fpo::train
