#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/exit_code.h"

namespace fpo::client {

struct Session;

// What a value is: how it is checked and completed.
enum class ValueKind {
  kFlag,     // takes no value
  kText,     // anything
  kSetting,  // KEY=VALUE
  kFile,
  kJob,       // id, prefix of one, or name
  kContext,   // the name of one
  kCount,     // whole number from 0
  kDuration,  // "30s", "2h"
  kChoice,    // one of `choices`
};

struct OptionSpec {
  std::string name = {};        // long name without dashes
  std::string short_name = {};  // one letter, or empty
  ValueKind kind = ValueKind::kFlag;
  std::string value = {};  // how help names the value: "DURATION"
  std::string help = {};
  bool repeated = false;
  std::vector<std::string> choices = {};
  bool required = false;
  std::string alias = {};  // another long name, that of the other programs' flag
};

struct ArgumentSpec {
  std::string name = {};  // "FILE"; its value is stored under this name
  ValueKind kind = ValueKind::kText;
  std::string help = {};
  bool required = true;
  bool repeated = false;
  std::vector<std::string> choices = {};
};

struct ExampleSpec {
  std::string line = {};  // a whole command line
  std::string what = {};
};

// One command. Parser, help, completion and the check of docs/cli.md are all made from this.
struct CommandSpec {
  std::string name = {};   // "workers list"
  std::string group = {};  // heading of the overview
  std::string summary = {};
  std::string details = {};  // a paragraph of help; wrapped when it is printed
  std::vector<ArgumentSpec> arguments = {};
  std::vector<OptionSpec> options = {};
  std::vector<ExampleSpec> examples = {};
  // Returns the exit code, or the error that is printed and decides it.
  absl::StatusOr<ExitCode> (*run)(Session&) = nullptr;
};

const std::vector<CommandSpec>& Commands();
const std::vector<OptionSpec>& SharedOptions();          // those every command takes
const CommandSpec* FindCommand(absl::string_view name);  // null: none

// The overview, or one command's page.
std::string OverviewHelp();
std::string CommandHelp(const CommandSpec& command);

}  // namespace fpo::client
