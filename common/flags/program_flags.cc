#include "common/flags/program_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <map>
#include <sstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/error_info.h"
#include "common/files/posix_status.h"
#include "common/observe/version.h"
#include "common/status_macros.h"
#include "common/text/closest_word.h"

namespace fpo {
namespace {

constexpr int64_t kConfigBytesMax = 1 << 20;

// The chosen subcommand, or the program itself.
const CLI::App* Chosen(const CLI::App& app) {
  const std::vector<CLI::App*> subcommands = app.get_subcommands();
  return subcommands.empty() ? &app : subcommands.front();
}

std::string HelpCommand(const CLI::App& app) {
  const CLI::App* chosen = Chosen(app);
  const std::string name = chosen == &app ? "" : absl::StrCat(" ", chosen->get_name());
  return absl::StrCat(app.get_name(), name, " --help");
}

absl::Status Usage(const CLI::App& app, absl::string_view message) {
  const CLI::App* chosen = Chosen(app);
  const std::string place = chosen == &app ? "" : absl::StrCat(chosen->get_name(), ": ");
  return WithErrorInfo(absl::InvalidArgumentError(absl::StrCat(place, message)),
                       {.reason = ErrorReason::kUsage, .hint = HelpCommand(app)});
}

// "--lease", of the program and of the chosen subcommand.
std::vector<std::string> FlagsOf(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::App* each : {&app, Chosen(app)}) {
    for (const CLI::Option* option : each->get_options()) {
      if (option->get_group().empty()) continue;  // for tests
      for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    }
  }
  return flags;
}

std::string DidYouMean(const std::string& word, const std::vector<std::string>& words) {
  const std::string closest = ClosestWord(word, words);
  return closest.empty() ? "" : absl::StrCat("; did you mean ", closest, "?");
}

std::vector<std::string> SubcommandsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(each->get_name());
  }
  return names;
}

// Describes an unknown flag, an unknown subcommand, or an extra argument.
std::string UnknownWord(const CLI::App& app) {
  std::vector<std::string> words = app.remaining(/*recurse=*/true);
  const auto flag = std::find_if(words.begin(), words.end(), [](const std::string& word) {
    return word.size() > 1 && word[0] == '-';
  });
  if (flag != words.end()) {
    const std::string name = flag->substr(0, flag->find('='));
    return absl::StrCat("there is no flag ", name, DidYouMean(name, FlagsOf(app)));
  }
  const std::string word = words.empty() ? "" : words.front();
  const std::vector<std::string> subcommands = SubcommandsOf(app);
  if (subcommands.empty() || Chosen(app) != &app) {
    return absl::StrCat("unexpected argument '", word, "'");
  }
  return absl::StrCat("there is no command '", word, "'", DidYouMean(word, subcommands));
}

// Rewords "--threads: Value 0 not in range 1 to 8"; empty: another message.
std::string DescribeRange(const std::string& message) {
  const size_t value = message.find(": Value ");
  const size_t range = message.find(" not in range ");
  if (value == std::string::npos || range == std::string::npos || range < value) return "";
  const std::string limits = message.substr(range + 14);  // "1 to 8", "0 or more"
  return absl::StrCat(message.substr(0, value), " is '",
                      message.substr(value + 8, range - value - 8), "' and must be ",
                      absl::StrContains(limits, " to ") ? "from " : "", limits);
}

// Rewords "--device: cud not in {auto,cpu,cuda}", with the closest of them.
std::string DescribeWrongValue(const std::string& message) {
  const std::string range = DescribeRange(message);
  if (!range.empty()) return range;
  const size_t name_end = message.find(": ");
  const size_t middle = message.find(" not in {");
  const bool listed = middle != std::string::npos && absl::EndsWith(message, "}");
  if (name_end == std::string::npos || name_end + 2 > middle || !listed) return message;
  const std::string value = message.substr(name_end + 2, middle - name_end - 2);
  const std::vector<std::string> allowed =
      absl::StrSplit(absl::StripSuffix(message.substr(middle + 9), "}"), ',');
  return absl::StrCat(message.substr(0, name_end), " is '", value, "' and must be one of ",
                      absl::StrJoin(allowed, ", "), DidYouMean(value, allowed));
}

// Rewords CLI11's messages that read badly.
std::string Reworded(const CLI::App& app, const CLI::ParseError& error) {
  const std::string message = error.what();
  switch (static_cast<CLI::ExitCodes>(error.get_exit_code())) {
    case CLI::ExitCodes::ExtrasError:
      return UnknownWord(app);
    case CLI::ExitCodes::RequiredError: {
      if (message != "A subcommand is required") return message;
      // The word after the program's name, if there is one, should have been a command.
      if (!app.remaining().empty()) return UnknownWord(app);
      return absl::StrCat("name a command: ", absl::StrJoin(SubcommandsOf(app), ", "));
    }
    case CLI::ExitCodes::ArgumentMismatch: {
      const size_t colon = message.find(": ");
      return absl::EndsWith(message, " missing") && colon != std::string::npos
                 ? absl::StrCat(message.substr(0, colon), " needs a value")
                 : message;
    }
    case CLI::ExitCodes::ConversionError: {
      const size_t equals = message.find(" = ");
      absl::string_view flag = message;
      if (!absl::ConsumePrefix(&flag, "Could not convert: ") || equals == std::string::npos) {
        return message;
      }
      flag = flag.substr(0, flag.find(" = "));
      return absl::StrCat(flag, " is '", message.substr(equals + 3), "' and must be a number");
    }
    default:
      return DescribeWrongValue(message);
  }
}

// The value of --config on the command line, for programs that read flags from a file; empty: none.
// It can be spelled in no other way.
std::string ConfigFileOf(const CLI::App& app, const ProgramArguments& arguments) {
  std::string file;
  if (app.get_config_ptr() == nullptr) return file;
  for (int i = 1; i < arguments.argc; ++i) {
    absl::string_view word = arguments.argv[i];
    if (word == "--config" && i + 1 < arguments.argc) file = arguments.argv[i + 1];
    if (absl::ConsumePrefix(&word, "--config=")) file = std::string(word);
  }
  return file;
}

bool IsOnCommandLine(const ProgramArguments& arguments, absl::string_view flag) {
  for (int i = 1; i < arguments.argc; ++i) {
    const absl::string_view word = arguments.argv[i];
    if (word == flag || absl::StartsWith(word, absl::StrCat(flag, "="))) return true;
  }
  return false;
}

// Keys that a file may set: "lease".
std::vector<std::string> KeysOf(const CLI::App& app) {
  std::vector<std::string> keys;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_configurable() || option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) keys.push_back(name);
  }
  return keys;
}

// The keys of a file of --config with their lines. Every line is KEY = VALUE, a comment, or part of
// a list.
class ConfigFile {
 public:
  static absl::StatusOr<ConfigFile> Read(const CLI::App& app, const std::string& path) {
    const absl::StatusOr<std::string> text = ReadFile(path, kConfigBytesMax);
    if (!text.ok()) return Usage(app, absl::StrCat("--config: ", text.status().message()));
    ConfigFile file(path);
    int number = 0;
    bool in_list = false;
    for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
      ++number;
      const std::string bare(absl::StripAsciiWhitespace(line.substr(0, line.find('#'))));
      if (bare.empty()) continue;
      const bool continues = in_list;
      in_list = (continues || absl::StrContains(bare, '[')) && !absl::StrContains(bare, ']');
      if (continues) continue;
      const std::string wrong = file.Take(app, bare, number);
      if (!wrong.empty()) return Usage(app, absl::StrCat(path, ":", number, ": ", wrong));
    }
    return file;
  }

  // "FILE:3: " of the line that sets the flag; empty: no line does.
  std::string PlaceOf(const std::string& flag) const {
    const auto found = lines_.find(flag);
    return found == lines_.end() ? "" : absl::StrCat(path_, ":", found->second, ": ");
  }

 private:
  explicit ConfigFile(std::string path) : path_(std::move(path)) {}

  // Takes one line; returns what is wrong with it, or "".
  std::string Take(const CLI::App& app, const std::string& line, int number) {
    const size_t equals = line.find('=');
    if (line.front() == '[') return "sections are not supported: write only KEY = VALUE lines";
    if (equals == std::string::npos || equals == 0) {
      return absl::StrCat("\"", line, "\" is not KEY = VALUE");
    }
    const std::string key(absl::StripAsciiWhitespace(line.substr(0, equals)));
    const CLI::Option* option = app.get_option_no_throw("--" + key);
    if (option == nullptr || !option->get_configurable()) {
      return absl::StrCat(key, ": unknown key", DidYouMean(key, KeysOf(app)));
    }
    if (!lines_.emplace("--" + key, number).second) {
      return absl::StrCat(key, ": is already set in line ", lines_.at("--" + key));
    }
    return "";
  }

  std::string path_;
  std::map<std::string, int> lines_;  // by flag
};

// The first flag that a message names.
std::string NamedFlag(const CLI::App& app, const std::string& message) {
  std::string named;
  size_t first = std::string::npos;
  for (const std::string& flag : FlagsOf(app)) {
    const size_t at = message.find(flag);
    const bool longer = at == first && flag.size() > named.size();
    if (at != std::string::npos && (at < first || longer)) {
      first = at;
      named = flag;
    }
  }
  return named;
}

}  // namespace

ProgramFlags::ProgramFlags(const std::string& name, const std::string& description)
    : app_(std::make_unique<CLI::App>(description, name)) {}

ProgramFlags::~ProgramFlags() = default;

FlagSet ProgramFlags::flags() { return FlagSet(app_.get()); }

void ProgramFlags::AddVersion(const std::string& version) {
  app_->set_version_flag("--version", absl::StrCat(app_->get_name(), " ", version));
}

void ProgramFlags::AddServiceFlags(bool* check_config) {
  AddVersion(ProgramVersion());
  AddConfigFile("TOML file with these flags as keys");
  flags()
      .Add("--check-config", check_config, "check flags and files, then exit")
      .OnCommandLineOnly();
}

void ProgramFlags::AddConfigFile(const std::string& help) {
  app_->set_config("--config", "", help);
  app_->allow_config_extras(CLI::config_extras_mode::error);
}

void ProgramFlags::SetFooter(const std::string& text) { app_->footer(text); }

FlagSet ProgramFlags::AddCommand(const std::string& name, const std::string& description) {
  app_->require_subcommand(1);
  return FlagSet(app_->add_subcommand(name, description));
}

absl::StatusOr<std::optional<std::string>> ProgramFlags::Parse(const ProgramArguments& arguments) {
  arguments_ = arguments;
  if (const std::string path = ConfigFileOf(*app_, arguments); !path.empty()) {
    FPO_RETURN_IF_ERROR(ConfigFile::Read(*app_, path).status());
  }
  try {
    app_->parse(arguments.argc, arguments.argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    if (app_->exit(error, out, err) == 0) return std::optional<std::string>(out.str());
    return Locate(Usage(*app_, Reworded(*app_, error)));
  }
  return std::optional<std::string>();
}

std::string ProgramFlags::Command() const {
  const CLI::App* chosen = Chosen(*app_);
  return chosen == app_.get() ? "" : chosen->get_name();
}

FlagSet ProgramFlags::ChosenFlags() const {
  const std::vector<CLI::App*> commands = app_->get_subcommands();
  return FlagSet(commands.empty() ? app_.get() : commands.front());
}

absl::Status ProgramFlags::Locate(const absl::Status& error) const {
  if (error.ok()) return error;
  const std::string message(error.message());
  std::string place;
  const std::string path = ConfigFileOf(*app_, arguments_);
  const std::string flag = NamedFlag(*app_, message);
  if (!path.empty() && !flag.empty() && !IsOnCommandLine(arguments_, flag)) {
    const absl::StatusOr<ConfigFile> file = ConfigFile::Read(*app_, path);
    if (file.ok()) place = file->PlaceOf(flag);
  }
  return WithErrorInfo(absl::Status(error.code(), absl::StrCat(place, message)),
                       {.reason = ErrorReason::kUsage, .hint = HelpCommand(*app_)});
}

std::string ProgramErrorText(const absl::Status& error) {
  const std::string hint = GetErrorInfo(error).value_or(ErrorInfo()).hint;
  return absl::StrCat("error: ", absl::StrReplaceAll(error.message(), {{"\n", " "}}),
                      hint.empty() ? "" : "; hint: ", hint, "\n");
}

std::optional<int> ExitOfFlags(const absl::Status& error, const std::optional<std::string>& text,
                               bool check_config) {
  if (!error.ok()) {
    std::cerr << ProgramErrorText(error);
    return 2;
  }
  if (text) std::cout << *text;
  return text || check_config ? std::optional<int>(0) : std::nullopt;
}

}  // namespace fpo
