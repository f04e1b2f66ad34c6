#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace CLI {
class App;
}

namespace fpo {

// Command line code that the service's programs share, so that the same mistake gets the same
// message. fpoctl has its own command table and parser (ctl/command_line/flags.h).

// A parsed command line.
template <typename Config>
struct ParsedFlags {
  Config config = {};
  bool check_config = false;             // valid: exit
  std::optional<std::string> text = {};  // --help, --version: print it and end
};

// --version, --config FILE (TOML) for what the command line leaves open, --check-config. The
// program's name is the app's.
void AddServiceFlags(CLI::App* app, bool* check_config);

// A duration like 200ms, 15s or 30d; --help shows its current value as the default.
void AddDuration(CLI::App* app, const std::string& flag, absl::Duration* value,
                 const std::string& help);

// The command line of one run, as main received it. A view: what it refers to must outlive it.
struct ProgramArguments {
  int argc = 0;
  const char* const* argv = nullptr;
};

// Parses. Returns the text to print for --help or --version, else nothing. InvalidArgument says
// what is wrong and names the closest flag or subcommand; for a --config file it names file, line
// and key. Its hint is the command that prints the help page.
absl::StatusOr<std::optional<std::string>> ParseProgramFlags(CLI::App* app,
                                                             const ProgramArguments& arguments);

// Completes an error about a value that parsed, such as "--lease is 1ms, allowed: ...": puts file
// and line in front when the flag is set in the --config file, and adds the hint of the help page.
absl::Status LocateFlagError(const CLI::App& app, const ProgramArguments& arguments,
                             const absl::Status& error);

// "error: MESSAGE; hint: HINT" and a newline.
std::string ProgramErrorText(const absl::Status& error);

// What main does with a command line that does not start the program: prints the error, or the
// text that was asked for. The exit code; nothing: start it.
std::optional<int> ExitOfFlags(const absl::Status& error, const std::optional<std::string>& text,
                               bool check_config);
template <typename Flags>
std::optional<int> ExitOfFlags(const absl::StatusOr<Flags>& flags) {
  if (!flags.ok()) return ExitOfFlags(flags.status(), std::nullopt, false);
  return ExitOfFlags(absl::OkStatus(), flags->text, flags->check_config);
}

}  // namespace fpo
