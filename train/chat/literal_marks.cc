#include "train/chat/literal_marks.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

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

bool LiteralMarks::HasMark(const Message& message) const {
  return Find(message.content, 0) != absl::string_view::npos;
}

std::string LiteralMarks::Flagged(const std::string& text, const std::string& flag) const {
  std::string flagged;
  size_t taken = 0;
  for (size_t at = Find(text, 0); at != std::string::npos; at = Find(text, at + 1)) {
    absl::StrAppend(&flagged, absl::string_view(text).substr(taken, at - taken), flag);
    taken = at;
  }
  return flagged + text.substr(taken);
}

std::string LiteralMarks::Flag(std::vector<Message>* messages) const {
  if (std::none_of(messages->begin(), messages->end(),
                   [&](const Message& message) { return HasMark(message); })) {
    return "";
  }
  int number = 0;
  while (number < 15 && Contains(*messages, FlagNumber(number))) ++number;
  const std::string flag = FlagNumber(number);
  for (Message& message : *messages) {
    message.content = Flagged(message.content, flag);
    for (std::string& part : message.parts) part = Flagged(part, flag);
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
