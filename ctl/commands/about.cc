#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/observe/version.h"
#include "common/text/json.h"
#include "ctl/command_line/completion.h"
#include "ctl/commands/commands.h"
#include "ctl/init/line_errors.h"
#include "ctl/rpc/session.h"

// Commands about fpoctl itself.
namespace fpo::ctl {
namespace {

absl::StatusOr<ExitCode> RunHelp(Session& session) {
  const std::vector<std::string> words = session.invocation.GetAll("COMMAND");
  const std::string name = absl::StrJoin(words, " ");
  const CommandSpec* command = FindCommand(name);
  std::string help = words.empty() ? OverviewHelp() : GroupHelp(name);
  if (session.invocation.Has("man")) {
    if (!words.empty())
      return WrongLine(session.invocation.command, "--man prints the page of all commands");
    help = ManualPage();
  } else if (command != nullptr) {
    help = CommandHelp(*command);
  } else if (!words.empty() && CommandsOfGroup(name).empty()) {
    std::vector<std::string> line = words;
    line.emplace_back("--help");
    const absl::Status error = CheckCommandWords(line);
    return error.ok() ? WrongLine(nullptr, absl::StrCat("there is no command '", name, "'"))
                      : error;
  }
  if (session.settings().json) {
    JsonObject json;
    json.Add("command", name);
    json.Add("help", help);
    session.out << json.Text() << "\n";
  } else {
    session.out << help;
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunVersion(Session& session) {
  if (session.settings().json) {
    session.out << "{\"version\":\"" << ProgramVersion() << "\"}\n";
  } else {
    session.out << "fpoctl " << ProgramVersion() << "\n";
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunCompletion(Session& session) {
  const std::string shell = session.invocation.Get("SHELL");
  if (session.settings().json) {
    JsonObject json;
    json.Add("shell", shell);
    json.Add("script", CompletionScript(shell));
    session.out << json.Text() << "\n";
    return ExitCode::kOk;
  }
  session.out << CompletionScript(shell);
  return ExitCode::kOk;
}

}  // namespace

CommandSpec HelpCommand() {
  CommandSpec c{"help", "admin", "print the help page of a command"};
  c.arguments = {
      {"COMMAND", ValueKind::kText, "one or two words; none: all commands", false, true}};
  c.options = {{"man", "", ValueKind::kFlag, "", "print the manual of all commands for man(1)"}};
  c.examples = {{"fpoctl help submit", "the same as fpoctl submit --help"},
                {"fpoctl help cache", "the commands of the cache"},
                {"fpoctl help --man > fpoctl.1", "read it with man -l fpoctl.1"}};
  c.json = {"{command, help}"};
  c.run = RunHelp;
  return c;
}

CommandSpec VersionCommand() {
  CommandSpec c{"version", "admin", "print fpoctl's version"};
  c.examples = {{"fpoctl version", ""}};
  c.json = {"{version}"};
  c.run = RunVersion;
  return c;
}

CommandSpec CompletionCommand() {
  CommandSpec c{"completion", "admin", "print a shell's completion script"};
  c.arguments = {
      {"SHELL", ValueKind::kChoice, "bash, zsh or fish", true, false, {"bash", "zsh", "fish"}}};
  c.examples = {
      {"source <(fpoctl completion bash)", "for this shell; add it to ~/.bashrc to keep it"},
      {"source <(fpoctl completion zsh)", "after compinit"},
      {"fpoctl completion fish > ~/.config/fish/completions/fpoctl.fish", ""}};
  c.json = {"{shell, script}"};
  c.run = RunCompletion;
  return c;
}

}  // namespace fpo::ctl
