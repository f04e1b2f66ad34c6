#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/observe/version.h"
#include "common/text/json.h"
#include "ctl/command_line/command_table.h"
#include "ctl/commands/commands.h"
#include "ctl/init/line_errors.h"
#include "ctl/show/text_layout.h"

namespace fpo::ctl {
namespace {

constexpr int kWidth = 80;
constexpr int kTextColumn = 32;
constexpr char kPurpose[] =
    "Sends jobs to the FPO training service, follows them, and shows what the\n"
    "reference cache holds.\n";
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

std::string OptionText(const OptionSpec& option) {
  std::string help = option.help;
  if (!option.alias.empty()) absl::StrAppend(&help, "; also --", option.alias);
  if (!option.choices.empty()) absl::StrAppend(&help, ": ", absl::StrJoin(option.choices, " "));
  return help;
}

std::string OptionEntries(const std::vector<OptionSpec>& options) {
  std::string text;
  for (const OptionSpec& option : options) {
    absl::StrAppend(&text, Entry(OptionLabel(option), OptionText(option), kTextColumn));
  }
  return text;
}

// "fpoctl submit FILE [options]"
std::string CallOf(const CommandSpec& command) {
  std::string line = absl::StrCat("fpoctl ", command.name);
  for (const ArgumentSpec& argument : command.arguments) {
    const std::string name = argument.repeated ? argument.name + "..." : argument.name;
    absl::StrAppend(&line,
                    argument.required ? absl::StrCat(" ", name) : absl::StrCat(" [", name, "]"));
  }
  return absl::StrCat(line, command.options.empty() ? "" : " [options]");
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

// Text as roff reads it: nothing in it is an escape or, at the start of a line, a request.
std::string Roff(absl::string_view text) {
  std::string escaped = absl::StrReplaceAll(
      text, {{"\\", "\\e"}, {"-", "\\-"}, {"\n.", "\n\\&."}, {"\n'", "\n\\&'"}});
  if (!escaped.empty() && (escaped[0] == '.' || escaped[0] == '\'')) escaped.insert(0, "\\&");
  return escaped;
}

// A label with its text below it.
std::string RoffEntry(absl::string_view label, absl::string_view text) {
  return absl::StrCat(".TP\n.B ", Roff(absl::StripAsciiWhitespace(label)), "\n", Roff(text), "\n");
}

std::string RoffOptions(const std::vector<OptionSpec>& options) {
  std::string text;
  for (const OptionSpec& option : options) {
    absl::StrAppend(&text, RoffEntry(OptionLabel(option), OptionText(option)));
  }
  return text;
}

std::string RoffLines(absl::string_view lines) {
  return absl::StrCat(".PP\n.nf\n", Roff(lines), ".fi\n");
}

std::string RoffCommand(const CommandSpec& command) {
  std::string text =
      absl::StrCat(".SS ", Roff(CallOf(command)), "\n", Roff(command.summary), ".\n");
  if (!command.details.empty()) absl::StrAppend(&text, ".PP\n", Roff(command.details), "\n");
  for (const ArgumentSpec& argument : command.arguments) {
    absl::StrAppend(&text, RoffEntry(argument.name, argument.help));
  }
  absl::StrAppend(&text, RoffOptions(command.options));
  std::string examples;
  for (const ExampleSpec& example : command.examples) {
    absl::StrAppend(&examples, ExampleLines(example));
  }
  return absl::StrCat(text, RoffLines(examples));
}

}  // namespace

std::string ManualPage() {
  std::string text = absl::StrCat(
      ".TH FPOCTL 1 \"\" \"fpoctl ", ProgramVersion(), "\" \"FPO training service\"\n.nh\n.ad l\n",
      ".SH NAME\n"
      "fpoctl \\- client of the FPO training service\n.SH SYNOPSIS\n.B fpoctl\n",
      ".I COMMAND\n[arguments] [options]\n.SH DESCRIPTION\n", Roff(kPurpose), ".SH COMMANDS\n");
  for (const CommandSpec& command : Commands()) absl::StrAppend(&text, RoffCommand(command));
  return absl::StrCat(text, ".SH OPTIONS OF EVERY COMMAND\n", RoffOptions(SharedOptions()),
                      ".SH EXIT STATUS\n", RoffLines(kExitCodes), ".SH SEE ALSO\n",
                      ".BR fpo\\-train (1),\n.BR fpo\\-coordinator (1),\n.BR fpo\\-cache (1),\n",
                      ".BR fpo\\-worker (1)\n");
}

std::string OverviewHelp() {
  std::string text = absl::StrCat(kPurpose, "\nusage: fpoctl COMMAND [arguments] [options]\n");
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
  std::string text = absl::StrCat("fpoctl ", command.name, ": ", command.summary,
                                  "\n\nusage: ", CallOf(command), "\n");
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
