// Wherever the sources and the documentation name a command of fpoctl, there is one: texts do not
// follow by themselves when a command or an option changes its name.
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "ctl/command_line/command_table.h"
#include "ctl/command_line/flags.h"
#include "ctl/command_line/hint.h"
#include "gtest/gtest.h"
#include "tests/ctl/hint_check.h"

namespace fpo::ctl {
namespace {

namespace fs = std::filesystem;

std::string Root() {
  const char* root = std::getenv("FPO_SOURCE_DIR");
  return root == nullptr ? "." : root;
}

std::string ReadText(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// A string literal, with those that follow it directly, and where it begins.
struct Literal {
  size_t at = 0;
  std::string text;
};

std::vector<Literal> LiteralsOf(const std::string& source) {
  std::vector<Literal> literals;
  size_t end = std::string::npos;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source.compare(i, 2, "//") == 0) i = std::min(source.find('\n', i), source.size() - 1);
    if (source[i] == '\'' && i + 2 < source.size()) i += source[i + 1] == '\\' ? 3 : 2;
    if (source[i] != '"') continue;
    const bool goes_on =
        end != std::string::npos &&
        absl::StripAsciiWhitespace(absl::string_view(source).substr(end, i - end)).empty();
    if (!goes_on) literals.push_back({i, ""});
    for (++i; i < source.size() && source[i] != '"' && source[i] != '\n'; ++i) {
      const bool escaped = source[i] == '\\';
      if (escaped) ++i;
      literals.back().text += escaped && source[i] == 'n' ? '\n' : source[i];
    }
    end = i + 1;
  }
  return literals;
}

// The command that the words name, or its group; null and empty when they name none.
const CommandSpec* Named(const std::vector<std::string>& words) {
  if (words.size() > 1) {
    const CommandSpec* two = FindCommand(absl::StrCat(words[0], " ", words[1]));
    if (two != nullptr) return two;
  }
  return words.empty() ? nullptr : FindCommand(words[0]);
}

bool HasOption(const CommandSpec& command, const std::string& name) {
  for (const auto* options : {&command.options, &SharedOptions()}) {
    for (const OptionSpec& option : *options) {
      if (name == "--" + option.name || name == "--" + option.alias) return true;
      if (!option.short_name.empty() && name == "-" + option.short_name) return true;
    }
  }
  return false;
}

// That the words begin with a command, and that options among them are its.
void ExpectExists(const std::vector<std::string>& words, const std::string& where) {
  if (words.empty() || !absl::ascii_islower(words[0][0])) return;  // COMMAND, --help, ...
  const CommandSpec* command = Named(words);
  if (command == nullptr) {
    EXPECT_FALSE(CommandsOfGroup(words[0]).empty()) << where << ": fpoctl " << words[0];
    return;
  }
  for (const std::string& word : words) {
    std::string name = word.substr(0, word.find('='));
    while (!name.empty() && absl::StrContains(".,:;)`]…'", name.back())) name.pop_back();
    const bool is_option = name.size() > 1 && name[0] == '-' && !std::isdigit(name[1]);
    if (!is_option) continue;
    EXPECT_TRUE(HasOption(*command, name)) << where << ": fpoctl " << command->name << " " << name;
  }
}

// Every "fpoctl ..." of a text, up to what cannot be part of a command line.
std::vector<std::vector<std::string>> CallsIn(const std::string& text) {
  std::vector<std::vector<std::string>> calls;
  for (size_t at = text.find("fpoctl "); at != std::string::npos;
       at = text.find("fpoctl ", at + 1)) {
    if (at > 0 && absl::ascii_isgraph(text[at - 1]) && !absl::StrContains("`(\"$'", text[at - 1])) {
      continue;
    }
    const std::string rest = text.substr(at + 7);
    const std::string line = rest.substr(0, rest.find_first_of("`\n;|>&#()\""));
    calls.push_back(absl::StrSplit(line, ' ', absl::SkipEmpty()));
  }
  return calls;
}

std::vector<fs::path> FilesIn(const std::vector<std::string>& folders,
                              const std::vector<std::string>& endings) {
  std::vector<fs::path> files;
  for (const std::string& folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(Root() + "/" + folder)) {
      for (const std::string& ending : endings) {
        if (entry.path().extension() == ending) files.push_back(entry.path());
      }
    }
  }
  EXPECT_GT(files.size(), 5u) << "set FPO_SOURCE_DIR";
  return files;
}

std::vector<fs::path> Sources() {
  return FilesIn({"ctl", "coordinator", "common", "worker", "cache", "train"}, {".cc", ".h"});
}

TEST(WrittenCommandsTest, TextsOfTheProgramsNameCommandsThatExist) {
  for (const fs::path& path : Sources()) {
    for (const Literal& literal : LiteralsOf(ReadText(path))) {
      for (const auto& words : CallsIn(literal.text)) ExpectExists(words, path.string());
    }
  }
}

// A hint is given to be run: what stands behind "fpoctl" is a whole line. Where the literal ends in
// a space a value follows.
TEST(WrittenCommandsTest, HintsOfTheProgramsCanBeRun) {
  int found = 0;
  for (const fs::path& path : Sources()) {
    const std::string source = ReadText(path);
    for (const Literal& literal : LiteralsOf(source)) {
      const std::string before =
          source.substr(literal.at < 300 ? 0 : literal.at - 300, std::min<size_t>(literal.at, 300));
      const size_t hint =
          std::max<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(before.rfind(".hint =")),
                                   static_cast<std::ptrdiff_t>(before.rfind("info.hint")));
      if (hint == std::string::npos || absl::StrContains(before.substr(hint), ";\n")) continue;
      for (std::string line : CommandLinesIn(literal.text)) {
        if (line.empty()) continue;
        if (absl::EndsWith(literal.text, line + " ")) absl::StrAppend(&line, " 1");
        SCOPED_TRACE(path.string());
        ExpectTaken(line);
        ++found;
      }
    }
  }
  EXPECT_GT(found, 20);
}

TEST(WrittenCommandsTest, TheDocumentationNamesCommandsAndOptionsThatExist) {
  std::vector<fs::path> files = FilesIn({"docs", "examples", "deploy"}, {".md", ".yaml", ".sh"});
  files.emplace_back(Root() + "/README.md");
  for (const fs::path& path : files) {
    // The table of wrong input is of commands that do not exist, among others; its test runs it.
    std::string text;
    bool wrong_input = false;
    for (const absl::string_view line : absl::StrSplit(ReadText(path), '\n')) {
      if (absl::StartsWith(line, "#")) wrong_input = absl::StrContains(line, "Wrong input");
      if (!wrong_input) absl::StrAppend(&text, line, "\n");
    }
    for (const auto& words : CallsIn(text)) ExpectExists(words, path.string());
  }
}

}  // namespace
}  // namespace fpo::ctl
