#include "ctl/command_line/hint.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace fpo::ctl {
namespace {

constexpr absl::string_view kProgram = "fpoctl ";

std::string ShellWord(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_isalnum(c) || absl::string_view("-_./=:,@%+").find(c) != std::string::npos;
  });
  return plain ? word : absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

}  // namespace

std::vector<std::string> CommandLinesIn(absl::string_view text) {
  std::vector<std::string> lines;
  for (size_t at = text.find(kProgram); at != absl::string_view::npos;
       at = text.find(kProgram, at + 1)) {
    if (at > 0 && absl::ascii_isgraph(text[at - 1]) && text[at - 1] != '(') continue;
    const absl::string_view rest = text.substr(at + kProgram.size());
    const absl::string_view line = rest.substr(0, rest.find_first_of(";)|>&"));
    lines.emplace_back(absl::StripAsciiWhitespace(line));
  }
  return lines;
}

std::string CommandLineOf(const std::vector<std::string>& words) {
  std::vector<std::string> quoted = {"fpoctl"};
  for (const std::string& word : words) quoted.push_back(ShellWord(word));
  return absl::StrJoin(quoted, " ");
}

bool RepeatsLine(absl::string_view hint, const std::vector<std::string>& typed) {
  std::vector<std::string> words;
  for (const std::string& word : typed) {
    if (word != "--json" && word != "-q" && word != "--quiet") words.push_back(word);
  }
  const std::string line = CommandLineOf(words).substr(kProgram.size() - 1);
  const std::vector<std::string> lines = CommandLinesIn(hint);
  return std::find(lines.begin(), lines.end(), absl::StripAsciiWhitespace(line)) != lines.end();
}

}  // namespace fpo::ctl
