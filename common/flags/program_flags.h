#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/flags/flag_set.h"

namespace fpo {

// A parsed command line.
template <typename Config>
struct ParsedFlags {
  Config config = {};
  bool check_config = false;             // valid: exit
  std::optional<std::string> text = {};  // --help, --version: print it and end
};

// The command line of one run, as main received it. A view: what it refers to must outlive it.
struct ProgramArguments {
  int argc = 0;
  const char* const* argv = nullptr;
};

// The command line of a program, with code that the service's programs share, so that the same
// mistake gets the same message. fpoctl has its own command table and parser
// (ctl/command_line/flags.h). Not thread-safe.
class ProgramFlags {
 public:
  ProgramFlags(const std::string& name, const std::string& description);
  ~ProgramFlags();

  // The program's own flags, and --help.
  FlagSet flags();
  // --version.
  void AddVersion(const std::string& version);
  // --version, --config FILE (TOML) for what the command line leaves open, --check-config.
  void AddServiceFlags(bool* check_config);
  // --config FILE alone.
  void AddConfigFile(const std::string& help);
  // Text at the end of the help page.
  void SetFooter(const std::string& text);
  // A command with flags of its own; with one of them, each line must name one.
  FlagSet AddCommand(const std::string& name, const std::string& description);

  // Parses, once. Returns the text to print for --help or --version, else nothing. InvalidArgument
  // says what is wrong and names the closest flag or command; for a --config file it names file,
  // line and key. Its hint is the command that prints the help page.
  absl::StatusOr<std::optional<std::string>> Parse(const ProgramArguments& arguments);

  // After Parse: the command that the line names; "" for a program without commands.
  std::string Command() const;
  // After Parse: the flags of that command, or the program's.
  FlagSet ChosenFlags() const;

  // After Parse: completes an error about a value that parsed, such as "--lease is 1ms, allowed:
  // ...": puts file and line in front when the flag is set in the --config file, and adds the hint
  // of the help page.
  absl::Status Locate(const absl::Status& error) const;

 private:
  std::unique_ptr<CLI::App> app_;
  ProgramArguments arguments_;
};

// "error: MESSAGE; hint: HINT" and a newline.
std::string ProgramErrorText(const absl::Status& error);

// What main does with a command line that does not start the program: prints the error, or the
// text that was asked for. The exit code; nothing: start it.
std::optional<int> ExitOfFlags(const absl::Status& error, const std::optional<std::string>& text,
                               bool check_config);
template <typename Parsed>
std::optional<int> ExitOfFlags(const absl::StatusOr<Parsed>& flags) {
  if (!flags.ok()) return ExitOfFlags(flags.status(), std::nullopt, false);
  return ExitOfFlags(absl::OkStatus(), flags->text, flags->check_config);
}

}  // namespace fpo
