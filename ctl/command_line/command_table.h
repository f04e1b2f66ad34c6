#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ctl/command_line/exit_code.h"

namespace fpo::ctl {

struct Session;

// The kind of a value decides how it is checked and completed.
enum class ValueKind {
  kFlag,     // takes no value
  kText,     // anything
  kSetting,  // KEY=VALUE
  kLabel,    // NAME=VALUE, as labels of jobs are
  kFile,
  kAddress,   // HOST:PORT of a service
  kJob,       // id, prefix of one, or name
  kWorker,    // the name of one
  kUser,      // the name of a caller, or of a group
  kContext,   // the name of one
  kManifest,  // the beginning of an id, in hex
  kKey,       // of a reference record: 64 hex digits
  kCount,     // whole number from `least` to `most`
  kDuration,  // "30s", "2h", "30d"
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
  int64_t least = 0;
  int64_t most = INT32_MAX;
};

// The option with limits on its count.
OptionSpec Within(OptionSpec option, int64_t least, int64_t most = INT32_MAX);

struct ArgumentSpec {
  std::string name = {};  // "FILE"; its value is stored under this name
  ValueKind kind = ValueKind::kText;
  std::string help = {};
  bool required = true;
  bool repeated = false;
  std::vector<std::string> choices = {};
  int64_t least = 0;
  int64_t most = INT32_MAX;
};

struct ExampleSpec {
  std::string line = {};  // a whole command line
  std::string what = {};
};

// One command. Parser, help, completion and the check of docs/cli.md are all derived from this.
struct CommandSpec {
  // Returns the exit code, or an error, which is printed and determines it.
  using Run = absl::StatusOr<ExitCode> (*)(Session&);

  std::string name = {};   // "workers list"
  std::string group = {};  // heading of the overview
  std::string summary = {};
  std::string details = {};  // a paragraph of help; wrapped when it is printed
  std::vector<ArgumentSpec> arguments = {};
  std::vector<OptionSpec> options = {};
  std::vector<ExampleSpec> examples = {};
  // What --json prints, one object per line: messages of proto/fpo/v1 ("SubmitResponse"), objects
  // of fpoctl's own with their keys ("{folder, files}"), or another format in words.
  std::vector<std::string> json = {};
  Run run = nullptr;
};

const std::vector<CommandSpec>& Commands();
const std::vector<OptionSpec>& SharedOptions();          // those every command takes
const CommandSpec* FindCommand(absl::string_view name);  // null: none

// The commands of a group: "workers list", "workers drain" of "workers"; empty: it is not a group.
std::vector<const CommandSpec*> CommandsOfGroup(absl::string_view word);

// The overview, one command's page, or that of a group ("workers"), which lists its commands.
std::string OverviewHelp();
std::string CommandHelp(const CommandSpec& command);
std::string GroupHelp(absl::string_view word);

// All of it in roff, for man(1).
std::string ManualPage();

}  // namespace fpo::ctl
