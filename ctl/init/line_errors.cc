#include "ctl/init/line_errors.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/command_line/flags.h"
#include "ctl/command_line/hint.h"
#include "ctl/command_line/value_check.h"

namespace fpo::ctl {
namespace {

using WordList = std::vector<std::string>;

// Names that other programs use for the same thing.
const std::vector<std::set<std::string>>& OtherNames() {
  static const std::vector<std::set<std::string>> names = {
      {"submit", "run", "start", "train", "launch"},
      {"list", "ls", "ps", "jobs"},
      {"describe", "status", "show", "get", "info"},
      {"cancel", "stop", "kill", "abort"},
      {"rm", "remove", "delete", "forget", "revoke"},
      {"create", "add", "new", "set"},
      {"use", "switch", "select"},
      {"uncordon", "undrain", "open"},
      {"tail", "logs"},
      {"unhold", "release"},
      {"suspend", "pause"}};
  return names;
}

// The one of `words` that was probably meant, or "".
std::string Meant(const std::string& word, const WordList& words) {
  const std::string nearest = NearestWord(word, words);
  if (!nearest.empty()) return nearest;
  for (const std::set<std::string>& same : OtherNames()) {
    if (same.count(word) == 0) continue;
    for (const std::string& each : words) {
      if (same.count(each) > 0) return each;
    }
  }
  return "";
}

// The places of the words in a line.
std::vector<size_t> PlacesOfWords(const WordList& args) {
  std::vector<size_t> places;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (arg.size() < 2 || arg[0] != '-') {
      places.push_back(i);
      continue;
    }
    for (const OptionSpec& option : SharedOptions()) {
      const bool named = arg == absl::StrCat("--", option.name) ||
                         (!option.alias.empty() && arg == absl::StrCat("--", option.alias));
      if (named && option.kind != ValueKind::kFlag) ++i;
    }
  }
  return places;
}

WordList NamesOfGroupsAndCommands() {
  WordList words;
  for (const CommandSpec& command : Commands()) {
    const std::string first = command.name.substr(0, command.name.find(' '));
    if (words.empty() || words.back() != first) words.push_back(first);
  }
  return words;
}

// "list", "drain" of "workers".
WordList NamesInGroup(const std::string& group) {
  WordList words;
  for (const CommandSpec* command : CommandsOfGroup(group)) {
    words.push_back(command->name.substr(group.size() + 1));
  }
  return words;
}

// The line with other words in place of the one at `at`, if it can be run; else `otherwise`.
std::string Corrected(const WordList& args, size_t at, const std::string& words,
                      const std::string& otherwise) {
  WordList line(args.begin(), args.begin() + static_cast<std::ptrdiff_t>(at));
  for (const absl::string_view word : absl::StrSplit(words, ' ')) line.emplace_back(word);
  line.insert(line.end(), args.begin() + static_cast<std::ptrdiff_t>(at) + 1, args.end());
  return ParseCommandLine(line, Environment()).invocation ? CommandLineOf(line) : otherwise;
}

bool AsksForHelp(const WordList& args) {
  return std::any_of(args.begin(), args.end(),
                     [](const std::string& arg) { return arg == "--help" || arg == "-h"; });
}

std::string HelpLine(const std::string& name) { return absl::StrCat("fpoctl ", name, " --help"); }

absl::Status NoSuchCommand(const WordList& args, size_t at) {
  const std::string& word = args[at];
  std::string meant = Meant(word, NamesOfGroupsAndCommands());
  // "drain w1": the second word of a command without the first.
  for (const CommandSpec& command : Commands()) {
    if (meant.empty() && absl::EndsWith(command.name, " " + word)) meant = command.name;
  }
  const std::string message = absl::StrCat("there is no command '", word, "'");
  if (meant.empty()) return UsageError(message, "fpoctl --help");
  return UsageError(absl::StrCat(message, "; did you mean ", meant, "?"),
                    Corrected(args, at, meant, HelpLine(meant)));
}

absl::Status NoSuchCommandOfGroup(const WordList& args, const std::string& group, size_t at) {
  const WordList seconds = NamesInGroup(group);
  const std::string meant = Meant(args[at], seconds);
  const std::string message = absl::StrCat("there is no command '", group, " ", args[at], "'");
  if (meant.empty()) {
    return UsageError(absl::StrCat(message, "; there are ", absl::StrJoin(seconds, ", ")),
                      HelpLine(group));
  }
  return UsageError(absl::StrCat(message, "; did you mean ", group, " ", meant, "?"),
                    Corrected(args, at, meant, HelpLine(absl::StrCat(group, " ", meant))));
}

}  // namespace

absl::Status WrongLine(const CommandSpec* command, absl::string_view message) {
  if (command == nullptr) return UsageError(message, "fpoctl --help");
  return UsageError(absl::StrCat(command->name, ": ", message), HelpLine(command->name));
}

std::vector<std::string> CommandWords(const std::vector<std::string>& args) {
  WordList words;
  for (const size_t place : PlacesOfWords(args)) words.push_back(args[place]);
  return words;
}

absl::Status CheckCommandWords(const std::vector<std::string>& args) {
  const std::vector<size_t> places = PlacesOfWords(args);
  if (places.empty()) return absl::OkStatus();
  const std::string& first = args[places[0]];
  if (FindCommand(first) != nullptr) return absl::OkStatus();
  const WordList seconds = NamesInGroup(first);
  if (seconds.empty()) return NoSuchCommand(args, places[0]);
  if (places.size() > 1) {
    const std::string& second = args[places[1]];
    if (FindCommand(absl::StrCat(first, " ", second)) != nullptr) return absl::OkStatus();
    return NoSuchCommandOfGroup(args, first, places[1]);
  }
  if (AsksForHelp(args)) return absl::OkStatus();
  return UsageError(
      absl::StrCat("'", first, "' needs to know what to do: ", absl::StrJoin(seconds, ", ")),
      HelpLine(first));
}

absl::Status UnexpectedWord(const CommandSpec& command, const std::vector<std::string>& args,
                            const std::string& word) {
  const bool is_flag = word.size() > 1 && word[0] == '-';
  if (!is_flag) {
    // "list workers" for "workers list".
    const std::string swapped = absl::StrCat(word, " ", command.name);
    const absl::Status error =
        WrongLine(&command, absl::StrCat("unexpected argument '", word, "'"));
    if (FindCommand(swapped) == nullptr) return error;
    return UsageError(absl::StrCat(error.message(), "; did you mean ", swapped, "?"),
                      HelpLine(swapped));
  }
  const std::string name = word.substr(0, word.find('='));
  WordList flags;
  for (const OptionSpec& option : command.options) flags.push_back("--" + option.name);
  for (const OptionSpec& option : SharedOptions()) flags.push_back("--" + option.name);
  const std::string meant = NearestWord(name, flags);
  absl::Status error =
      WrongLine(&command, absl::StrCat("there is no flag ", name, DidYouMean(name, flags)));
  const auto at = std::find(args.begin(), args.end(), word);
  if (meant.empty() || at == args.end()) return error;
  return UsageError(error.message(),
                    Corrected(args, static_cast<size_t>(at - args.begin()),
                              meant + word.substr(name.size()), HelpLine(command.name)));
}

}  // namespace fpo::ctl
