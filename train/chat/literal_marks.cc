#include "train/chat/literal_marks.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "train/chat/python_trim.h"

namespace fpo::train {
namespace {

// U+FDD0 to U+FDDF: of the noncharacters, which no text is meant to contain.
std::string FlagNumber(int i) {
  return absl::StrCat("\xEF\xB7", std::string(1, static_cast<char>(0x90 + i)));
}

bool Contains(const std::vector<Message>& messages, const std::string& text) {
  return std::any_of(messages.begin(), messages.end(), [&](const Message& message) {
    return absl::StrContains(message.content, text);
  });
}

// How many of `tail` follow a `head`, at most, in any of the messages.
size_t LongestRun(const std::vector<Message>& messages, const std::string& head,
                  const std::string& tail) {
  size_t longest = 0;
  for (const Message& message : messages) {
    const std::string& text = message.content;
    for (size_t at = text.find(head); at != std::string::npos; at = text.find(head, at + 1)) {
      size_t run = 0, next = at + head.size();
      for (; text.compare(next, tail.size(), tail) == 0; next += tail.size()) ++run;
      longest = std::max(longest, run);
    }
  }
  return longest;
}

// What no message contains.
std::string FlagFor(const std::vector<Message>& messages) {
  for (int number = 0; number < 16; ++number) {
    if (!Contains(messages, FlagNumber(number))) return FlagNumber(number);
  }
  std::string flag = FlagNumber(0);
  for (size_t i = LongestRun(messages, FlagNumber(0), FlagNumber(1)) + 1; i > 0; --i) {
    flag += FlagNumber(1);
  }
  return flag;
}

std::string Flagged(const std::string& text, const std::vector<size_t>& offsets,
                    const std::string& flag) {
  std::string flagged;
  size_t taken = 0;
  for (const size_t at : offsets) {
    absl::StrAppend(&flagged, absl::string_view(text).substr(taken, at - taken), flag);
    taken = at;
  }
  return flagged + text.substr(taken);
}

}  // namespace

MarkedText Joined(const MarkedText& head, const MarkedText& tail) {
  MarkedText joined{head.text + tail.text, head.literal};
  for (const size_t at : tail.literal) joined.literal.push_back(head.text.size() + at);
  return joined;
}

LiteralMarks::LiteralMarks(std::vector<std::string> marks) : marks_(std::move(marks)) {}

size_t LiteralMarks::Find(absl::string_view text, size_t from) const {
  size_t first = absl::string_view::npos;
  for (const std::string& mark : marks_) first = std::min(first, text.find(mark, from));
  return first;
}

std::vector<size_t> LiteralMarks::MarksIn(absl::string_view text) const {
  std::vector<size_t> offsets;
  for (size_t at = Find(text, 0); at != absl::string_view::npos; at = Find(text, at + 1)) {
    offsets.push_back(at);
  }
  return offsets;
}

// Offsets in the first piece of marks that begin in it and end in a later one.
void LiteralMarks::AddSpanning(const std::vector<absl::string_view>& pieces, size_t first,
                               std::vector<size_t>* offsets) const {
  size_t longest = 0;
  for (const std::string& mark : marks_) longest = std::max(longest, mark.size());
  const absl::string_view piece = pieces[first];
  const size_t begin = piece.size() - std::min(piece.size(), longest);
  std::string text(piece.substr(begin));
  const size_t end = text.size();
  for (size_t i = first + 1; i < pieces.size() && text.size() < end + longest; ++i) {
    absl::StrAppend(&text, pieces[i].substr(0, longest));
  }
  for (size_t at = 0; at < end; ++at) {
    for (const std::string& mark : marks_) {
      const bool here = absl::StartsWith(absl::string_view(text).substr(at), mark);
      if (here && at + mark.size() > end) offsets->push_back(begin + at);
    }
  }
}

// For each part. Templates join the parts as they are, or without the white space around them.
std::vector<std::vector<size_t>> LiteralMarks::MarksInParts(
    const std::vector<std::string>& parts) const {
  std::vector<absl::string_view> trimmed, whole(parts.begin(), parts.end());
  for (const std::string& part : parts) trimmed.push_back(PythonTrim(part));
  std::vector<std::vector<size_t>> offsets;
  for (size_t i = 0; i < parts.size(); ++i) {
    std::vector<size_t>& some = offsets.emplace_back(MarksIn(parts[i]));
    std::vector<size_t> spanning;
    AddSpanning(trimmed, i, &spanning);
    const auto lead = static_cast<size_t>(trimmed[i].data() - parts[i].data());
    for (size_t& at : spanning) at += lead;
    AddSpanning(whole, i, &spanning);
    some.insert(some.end(), spanning.begin(), spanning.end());
    std::sort(some.begin(), some.end());
    some.erase(std::unique(some.begin(), some.end()), some.end());
  }
  return offsets;
}

bool LiteralMarks::HasMark(const Message& message) const {
  if (Find(message.content, 0) != absl::string_view::npos) return true;
  if (message.parts.size() < 2) return false;
  const auto in_parts = MarksInParts(message.parts);
  return std::any_of(in_parts.begin(), in_parts.end(),
                     [](const std::vector<size_t>& offsets) { return !offsets.empty(); });
}

std::string LiteralMarks::Flag(std::vector<Message>* messages) const {
  if (std::none_of(messages->begin(), messages->end(),
                   [&](const Message& message) { return HasMark(message); })) {
    return "";
  }
  const std::string flag = FlagFor(*messages);
  for (Message& message : *messages) {
    const auto in_parts = MarksInParts(message.parts);
    for (size_t i = 0; i < message.parts.size(); ++i) {
      message.parts[i] = Flagged(message.parts[i], in_parts[i], flag);
    }
    message.content = Flagged(message.content, MarksIn(message.content), flag);
  }
  return flag;
}

MarkedText LiteralMarks::Unflagged(absl::string_view text, const std::string& flag) {
  MarkedText out;
  while (!flag.empty()) {
    const size_t at = text.find(flag);
    if (at == absl::string_view::npos) break;
    absl::StrAppend(&out.text, text.substr(0, at));
    out.literal.push_back(out.text.size());
    text.remove_prefix(at + flag.size());
  }
  absl::StrAppend(&out.text, text);
  return out;
}

}  // namespace fpo::train
