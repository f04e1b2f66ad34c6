#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/text/json.h"
#include "ctl/command_line/command_table.h"
#include "ctl/commands/commands.h"
#include "ctl/init/line_errors.h"
#include "ctl/show/text_layout.h"

namespace fpo::ctl {
namespace {

constexpr int kWidth = 80;
constexpr int kTextColumn = 32;
constexpr char kExitCodes[] =
    "exit codes: 0 ok; 1 internal error; 2 usage; 3 job file or request invalid;\n"
    "  4 not found; 5 unreachable or deadline; 6 denied; 7 precondition or conflict;\n"
    "  8 quota; when following a job: 10 FAILED, 11 CANCELLED,\n"
    "  12 still running at --timeout, 130 Ctrl-C\n";

std::string OptionLabel(const OptionSpec& option) {
  std::string label =
      option.short_name.empty() ? "    " : absl::StrCat("-", option.short_name, ", ");
  absl::StrAppend(&label, "--", option.name);
  if (!option.value.empty()) absl::StrAppend(&label, " ", option.value);
  return label;
}

// `start`, then the words of `text` wrapped at kWidth; later lines are indented.
std::string Wrapped(absl::string_view start, absl::string_view text, int indent) {
  std::string wrapped(start);
  int column = DisplayWidth(start);
  if (column > indent) {  // a long label: the text begins below it
    absl::StripTrailingAsciiWhitespace(&wrapped);
    absl::StrAppend(&wrapped, "\n", std::string(indent, ' '));
    column = indent;
  }
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const int width = DisplayWidth(word);
    if (column + width > kWidth && column > indent) {
      wrapped.back() = '\n';
      wrapped.append(indent, ' ');
      column = indent;
    }
    absl::StrAppend(&wrapped, word, " ");
    column += width + 1;
  }
  absl::StripTrailingAsciiWhitespace(&wrapped);
  return absl::StrCat(wrapped, "\n");
}

// A label with its text next to it.
std::string Entry(absl::string_view label, absl::string_view text, int indent) {
  return Wrapped(absl::StrCat("  ", PadRight(label, indent - 4), "  "), text, indent);
}

std::string OptionEntries(const std::vector<OptionSpec>& options) {
  std::string text;
  for (const OptionSpec& option : options) {
    std::string help = option.help;
    if (!option.alias.empty()) absl::StrAppend(&help, "; also --", option.alias);
    if (!option.choices.empty()) {
      absl::StrAppend(&help, ":");
      for (const std::string& choice : option.choices) absl::StrAppend(&help, " ", choice);
    }
    absl::StrAppend(&text, Entry(OptionLabel(option), help, kTextColumn));
  }
  return text;
}

std::string UsageLine(const CommandSpec& command) {
  std::string line = absl::StrCat("usage: fpoctl ", command.name);
  for (const ArgumentSpec& argument : command.arguments) {
    const std::string name = argument.repeated ? argument.name + "..." : argument.name;
    absl::StrAppend(&line,
                    argument.required ? absl::StrCat(" ", name) : absl::StrCat(" [", name, "]"));
  }
  return absl::StrCat(line, command.options.empty() ? "" : " [options]", "\n");
}

// What --json prints, as a section of a page.
std::string JsonEntry(const CommandSpec& command) {
  return absl::StrCat("\nwith --json, one object per line\n",
                      Wrapped("  ", absl::StrJoin(command.json, ", "), 2));
}

std::string ExampleLines(const ExampleSpec& example) {
  const std::string what = example.what.empty() ? "" : absl::StrCat("      ", example.what, "\n");
  return absl::StrCat("  ", example.line, "\n", what);
}

}  // namespace

std::string OverviewHelp() {
  std::string text =
      "Sends jobs to the FPO training service, follows them, and shows what the\n"
      "reference cache holds.\n\n"
      "usage: fpoctl COMMAND [arguments] [options]\n";
  size_t longest = 0;
  for (const CommandSpec& command : Commands()) longest = std::max(longest, command.name.size());
  std::string group;
  for (const CommandSpec& command : Commands()) {
    if (command.group != group) absl::StrAppend(&text, "\n", command.group, "\n");
    group = command.group;
    absl::StrAppend(&text, Entry(command.name, command.summary, static_cast<int>(longest) + 4));
  }
  absl::StrAppend(&text, "\noptions of every command\n", OptionEntries(SharedOptions()));
  absl::StrAppend(&text, "\nfirst steps\n");
  absl::StrAppend(&text, "  fpoctl init fpo > job.yaml      then edit the paths in it\n");
  absl::StrAppend(&text, "  fpoctl submit job.yaml --wait   run it and watch\n");
  absl::StrAppend(
      &text,
      "  fpoctl help COMMAND             arguments, options and examples of one command\n\n");
  return absl::StrCat(text, kExitCodes);
}

std::string CommandHelp(const CommandSpec& command) {
  std::string text =
      absl::StrCat("fpoctl ", command.name, ": ", command.summary, "\n\n", UsageLine(command));
  if (!command.details.empty()) absl::StrAppend(&text, "\n", Wrapped("", command.details, 0));
  if (!command.arguments.empty()) absl::StrAppend(&text, "\narguments\n");
  for (const ArgumentSpec& argument : command.arguments) {
    absl::StrAppend(&text, Entry(argument.name, argument.help, kTextColumn));
  }
  if (!command.options.empty()) {
    absl::StrAppend(&text, "\noptions\n", OptionEntries(command.options));
  }
  absl::StrAppend(&text, "\nexamples\n");
  for (const ExampleSpec& example : command.examples) {
    absl::StrAppend(&text, ExampleLines(example));
  }
  return absl::StrCat(text, JsonEntry(command), "\noptions of every command\n",
                      OptionEntries(SharedOptions()));
}

std::string GroupHelp(absl::string_view word) {
  const std::vector<const CommandSpec*> commands = CommandsOfGroup(word);
  std::string text = absl::StrCat("usage: fpoctl ", word, " COMMAND [arguments] [options]\n\n");
  size_t longest = 0;
  for (const CommandSpec* command : commands) longest = std::max(longest, command->name.size());
  for (const CommandSpec* command : commands) {
    absl::StrAppend(&text, Entry(command->name, command->summary, static_cast<int>(longest) + 4));
  }
  absl::StrAppend(&text, "\nexamples\n");
  for (const CommandSpec* command : commands) {
    if (!command->examples.empty()) absl::StrAppend(&text, ExampleLines(command->examples[0]));
  }
  return absl::StrCat(text, "\nfpoctl ", word,
                      " COMMAND --help shows arguments, options and examples of one.\n");
}

}  // namespace fpo::ctl
