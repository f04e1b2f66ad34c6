#include "ctl/command_line/completion.h"

#include <map>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "ctl/command_line/command_table.h"

namespace fpo::ctl {
namespace {

constexpr char kJobIds[] = "timeout 1 fpoctl list -q 2>/dev/null";

constexpr char kContexts[] = "timeout 1 fpoctl context list -q 2>/dev/null";

std::vector<OptionSpec> OptionsOf(const CommandSpec& command) {
  std::vector<OptionSpec> options = command.options;
  options.insert(options.end(), SharedOptions().begin(), SharedOptions().end());
  return options;
}

// The first words, and the second words of those that are groups.
std::map<std::string, std::set<std::string>> Words() {
  std::map<std::string, std::set<std::string>> words;
  for (const CommandSpec& command : Commands()) {
    const std::vector<std::string> parts = absl::StrSplit(command.name, ' ');
    std::set<std::string>& second = words[parts[0]];
    if (parts.size() > 1) second.insert(parts[1]);
  }
  return words;
}

std::string FirstWords() {
  std::vector<std::string> first;
  for (const auto& [word, second] : Words()) first.push_back(word);
  return absl::StrJoin(first, " ");
}

// A bash command that fills COMPREPLY for one kind of value.
std::string BashReply(ValueKind kind, const std::vector<std::string>& choices) {
  switch (kind) {
    case ValueKind::kFile:
      return "COMPREPLY=($(compgen -f -- \"$current\"))";
    case ValueKind::kJob:
      return absl::StrCat("COMPREPLY=($(compgen -W \"$(", kJobIds, ")\" -- \"$current\"))");
    case ValueKind::kContext:
      return absl::StrCat("COMPREPLY=($(compgen -W \"$(", kContexts, ")\" -- \"$current\"))");
    case ValueKind::kChoice:
      return absl::StrCat("COMPREPLY=($(compgen -W '", absl::StrJoin(choices, " "),
                          "' -- \"$current\"))");
    default:
      return "COMPREPLY=()";
  }
}

std::string BashCommandCase(const CommandSpec& command) {
  std::vector<std::string> names;
  std::string values;
  for (const OptionSpec& option : OptionsOf(command)) {
    names.push_back(absl::StrCat("--", option.name));
    if (option.kind == ValueKind::kFlag) continue;
    absl::StrAppend(&values, "        --", option.name, ") ",
                    BashReply(option.kind, option.choices), "; return ;;\n");
  }
  std::string text = absl::StrCat("    '", command.name, "')\n      case $previous in\n", values,
                                  "      esac\n      if [[ $current == -* ]]; then\n",
                                  "        COMPREPLY=($(compgen -W '", absl::StrJoin(names, " "),
                                  "' -- \"$current\"))\n");
  if (!command.arguments.empty()) {
    const ArgumentSpec& argument = command.arguments[0];
    absl::StrAppend(&text, "      else\n        ", BashReply(argument.kind, argument.choices),
                    "\n");
  }
  return absl::StrCat(text, "      fi ;;\n");
}

std::string BashScript() {
  std::string text =
      "# fpoctl completion for bash\n_fpoctl() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  if [[ $COMP_CWORD -eq 1 ]]; then\n";
  absl::StrAppend(&text, "    COMPREPLY=($(compgen -W '", FirstWords(),
                  "' -- \"$current\"))\n    return\n  fi\n  local command=${COMP_WORDS[1]}\n");
  absl::StrAppend(&text, "  case $command in\n");
  for (const auto& [word, second] : Words()) {
    if (second.empty()) continue;
    absl::StrAppend(&text, "    ", word, ")\n      if [[ $COMP_CWORD -eq 2 ]]; then\n",
                    "        COMPREPLY=($(compgen -W '", absl::StrJoin(second, " "),
                    "' -- \"$current\"))\n        return\n      fi\n",
                    "      command=\"$command ${COMP_WORDS[2]}\" ;;\n");
  }
  absl::StrAppend(&text, "  esac\n  case $command in\n");
  for (const CommandSpec& command : Commands()) absl::StrAppend(&text, BashCommandCase(command));
  return absl::StrCat(text, "  esac\n}\ncomplete -o filenames -F _fpoctl fpoctl\n");
}

// fish's condition that a command's words were typed.
std::string FishSeen(const std::string& name) {
  std::vector<std::string> tests;
  for (const absl::string_view word : absl::StrSplit(name, ' ')) {
    tests.push_back(absl::StrCat("__fish_seen_subcommand_from ", word));
  }
  return absl::StrJoin(tests, "; and ");
}

std::string FishQuote(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}}), "'");
}

std::string FishValues(ValueKind kind, const std::vector<std::string>& choices) {
  if (kind == ValueKind::kFile) return " -F";
  if (kind == ValueKind::kJob) return absl::StrCat(" -f -a '(", kJobIds, ")'");
  if (kind == ValueKind::kContext) return absl::StrCat(" -f -a '(", kContexts, ")'");
  if (kind == ValueKind::kChoice)
    return absl::StrCat(" -f -a ", FishQuote(absl::StrJoin(choices, " ")));
  return " -f";
}

std::string FishScript() {
  std::string text = "# fpoctl completion for fish\ncomplete -c fpoctl -f\n";
  for (const CommandSpec& command : Commands()) {
    const std::vector<std::string> words = absl::StrSplit(command.name, ' ');
    const std::string first = words.size() == 1
                                  ? "__fish_use_subcommand"
                                  : absl::StrCat("__fish_seen_subcommand_from ", words[0]);
    if (words.size() > 1) {
      absl::StrAppend(&text, "complete -c fpoctl -n __fish_use_subcommand -a ", words[0], "\n");
    }
    absl::StrAppend(&text, "complete -c fpoctl -n ", FishQuote(first), " -a ", words.back(), " -d ",
                    FishQuote(command.summary), "\n");
    const std::string prefix =
        absl::StrCat("complete -c fpoctl -n ", FishQuote(FishSeen(command.name)));
    for (const ArgumentSpec& argument : command.arguments) {
      absl::StrAppend(&text, prefix, FishValues(argument.kind, argument.choices), "\n");
    }
    for (const OptionSpec& option : OptionsOf(command)) {
      absl::StrAppend(&text, prefix, " -l ", option.name,
                      option.short_name.empty() ? "" : absl::StrCat(" -s ", option.short_name));
      if (option.kind != ValueKind::kFlag) {
        absl::StrAppend(&text, " -r", FishValues(option.kind, option.choices));
      }
      absl::StrAppend(&text, " -d ", FishQuote(option.help), "\n");
    }
  }
  return text;
}

}  // namespace

std::string CompletionScript(absl::string_view shell) {
  if (shell == "bash") return BashScript();
  if (shell == "fish") return FishScript();
  // zsh runs bash completions; a zsh script would describe the same thing a second time.
  if (shell == "zsh") {
    return absl::StrCat("# fpoctl completion for zsh\nautoload -Uz bashcompinit && bashcompinit\n",
                        BashScript());
  }
  return "";
}

}  // namespace fpo::ctl
