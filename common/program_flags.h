#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace CLI {
class App;
}

namespace fpo {

// What the command lines of the service's programs share, so that all say the same of the same
// mistake. fpoctl has a command table and a parser of its own (ctl/command_line/flags.h).

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

}  // namespace fpo
