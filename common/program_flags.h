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

// What the command lines of the service's programs share, so that all say the same of the same
// mistake. fpoctl has a command table and a parser of its own (ctl/command_line/flags.h).

// A command line as it was read.
template <typename Config>
struct ParsedFlags {
  Config config = {};
  bool check_config = false;             // all is well: end
  std::optional<std::string> text = {};  // --help, --version: print it and end
};

// --version, --config FILE (TOML) for what the command line leaves open, --check-config. The
// program's name is the app's.
void AddServiceFlags(CLI::App* app, bool* check_config);

// A duration like 200ms, 15s or 30d; its present value is the default that --help shows.
void AddDuration(CLI::App* app, const std::string& flag, absl::Duration* value,
                 const std::string& help);

// The command line of one run, as main got it. A view: it must outlive its user.
struct ProgramArguments {
  int argc = 0;
  const char* const* argv = nullptr;
};

// Parses. The text to print where --help or --version was given, else nothing. InvalidArgument says
// what is wrong and names the closest flag or subcommand; of a file given with --config it names
// file, line and key. Its hint is the command of the help page.
absl::StatusOr<std::optional<std::string>> ParseProgramFlags(CLI::App* app,
                                                             const ProgramArguments& arguments);

// An error about a value that parsed, such as "--lease is 1ms, allowed: ...": with file and line in
// front where the flag it names is from the file of --config, and with the hint of the help page.
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
