#include "tests/ctl/hint_check.h"

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "ctl/command_line/flags.h"
#include "ctl/command_line/hint.h"
#include "gtest/gtest.h"

namespace fpo::ctl {
namespace {

// The hint of a line on standard error; the line may be no error at all.
bool FindHint(const std::string& line, std::string* hint) {
  const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (json.is_object() && json.contains("code")) {
    *hint = json.value("hint", "");
    return true;
  }
  if (!absl::StartsWith(line, "error: ")) return false;
  const size_t at = line.rfind("; hint: ");
  *hint = at == std::string::npos ? "" : line.substr(at + 8);
  return true;
}

}  // namespace

std::vector<std::string> ShellWords(const std::string& line) {
  std::vector<std::string> words;
  bool quoted = false;
  bool open = false;
  for (const char c : line) {
    if (c == '\'') {
      quoted = !quoted;
      if (!open) words.emplace_back();
      open = true;
    } else if (c == ' ' && !quoted) {
      open = false;
    } else {
      if (!open) words.emplace_back();
      open = true;
      words.back() += c;
    }
  }
  return words;
}

void ExpectTaken(const std::string& line) {
  const ParsedLine parsed = ParseCommandLine(ShellWords(line), Environment());
  EXPECT_TRUE(parsed.invocation.has_value() || parsed.help.has_value())
      << "fpoctl " << line << "\n  is not taken: " << parsed.error.message();
}

void ExpectUsefulHints(const std::string& err, const std::vector<std::string>& typed) {
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(err, '\n'))) {
    std::string hint;
    if (!FindHint(line, &hint)) continue;
    EXPECT_FALSE(hint.empty()) << line;
    for (const std::string& command : CommandLinesIn(hint)) {
      SCOPED_TRACE(line);
      ExpectTaken(command);
    }
    EXPECT_FALSE(RepeatsLine(hint, typed)) << "the hint is what was typed: " << line;
  }
}

}  // namespace fpo::ctl
