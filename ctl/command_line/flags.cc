#include "ctl/command_line/flags.h"

#include <pwd.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <list>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "ctl/command_line/command_table.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/command_line/settings.h"
#include "ctl/command_line/value_check.h"
#include "ctl/init/line_errors.h"

namespace fpo::ctl {
namespace {

// CLI11 writes into these while it parses; addresses must stay.
struct Slot {
  std::string name;
  std::vector<std::string> values;
  bool flag = false;
};

// The parser of one run, built from the command table.
struct Parser {
  CLI::App app{"fpoctl", "fpoctl"};
  std::list<Slot> shared;
  std::map<const CommandSpec*, CLI::App*> commands;
  std::map<const CommandSpec*, std::list<Slot>> slots;
};

void AddOption(CLI::App* app, const OptionSpec& option, std::list<Slot>* slots) {
  Slot& slot = slots->emplace_back();
  slot.name = option.name;
  std::string names = absl::StrCat("--", option.name);
  if (!option.short_name.empty()) absl::StrAppend(&names, ",-", option.short_name);
  if (!option.alias.empty()) absl::StrAppend(&names, ",--", option.alias);
  if (option.kind == ValueKind::kFlag) {
    app->add_flag(names, slot.flag, option.help)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    return;
  }
  CLI::Option* added = app->add_option(names, slot.values, option.help);
  // "--data a b", as a shell expands *.jsonl; other repeated options take one value each.
  added->allow_extra_args(option.repeated && option.kind == ValueKind::kFile);
  added->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

CLI::App* Subcommand(CLI::App* parent, const std::string& name, const std::string& summary) {
  const std::vector<CLI::App*> existing =
      parent->get_subcommands([&name](CLI::App* app) { return app->get_name() == name; });
  if (!existing.empty()) return existing.front();
  CLI::App* app = parent->add_subcommand(name, summary);
  app->set_help_flag();
  app->fallthrough();
  app->require_subcommand(0, 1);
  return app;
}

void AddCommand(const CommandSpec& command, Parser* parser) {
  CLI::App* app = &parser->app;
  for (const std::string& word : CLI::detail::split(command.name, ' ')) {
    app = Subcommand(app, word, command.summary);
  }
  parser->commands[&command] = app;
  std::list<Slot>& slots = parser->slots[&command];
  for (const ArgumentSpec& argument : command.arguments) {
    Slot& slot = slots.emplace_back();
    slot.name = argument.name;
    CLI::Option* added = app->add_option(argument.name, slot.values, argument.help);
    // One word each, so that the next word belongs to the next argument.
    if (!argument.repeated) added->expected(1)->allow_extra_args(false);
  }
  for (const OptionSpec& option : command.options) AddOption(app, option, &slots);
}

void BuildParser(Parser* parser) {
  parser->app.set_help_flag();
  parser->app.require_subcommand(0, 1);
  for (const OptionSpec& option : SharedOptions()) {
    AddOption(&parser->app, option, &parser->shared);
  }
  for (const CommandSpec& command : Commands()) AddCommand(command, parser);
}

const CommandSpec* Chosen(const Parser& parser) {
  for (const auto& [command, app] : parser.commands) {
    if (app->parsed()) return command;
  }
  return nullptr;
}

absl::Status Collect(std::list<Slot>& slots, Invocation* invocation) {
  for (Slot& slot : slots) {
    if (slot.flag) invocation->values[slot.name] = {"true"};
    if (!slot.values.empty()) invocation->values[slot.name] = std::move(slot.values);
  }
  const CommandSpec& command = *invocation->command;
  for (const ArgumentSpec& argument : command.arguments) {
    const absl::Status status = CheckArgument(argument, invocation->GetAll(argument.name));
    if (!status.ok()) return WrongLine(&command, status.message());
  }
  for (const OptionSpec& option : command.options) {
    if (!invocation->Has(option.name) && option.required) {
      return WrongLine(&command, absl::StrCat("--", option.name, " is missing: ", option.help));
    }
    if (!invocation->Has(option.name)) continue;
    const absl::Status status = CheckOption(option, &invocation->values[option.name]);
    if (!status.ok()) return WrongLine(&command, status.message());
  }
  return absl::OkStatus();
}

bool SharedFlag(const Parser& parser, absl::string_view name) {
  return std::any_of(parser.shared.begin(), parser.shared.end(),
                     [name](const Slot& slot) { return slot.name == name && slot.flag; });
}

// The shared options that were given with a value. An empty value makes `context set` forget the
// setting; elsewhere it is a mistake.
absl::StatusOr<GivenOptions> GivenIn(const Parser& parser, const CommandSpec& command) {
  GivenOptions given;
  for (const OptionSpec& option : SharedOptions()) {
    for (const Slot& slot : parser.shared) {
      if (slot.name != option.name || slot.values.empty()) continue;
      std::vector<std::string> last = {slot.values.back()};
      const bool forgets = command.name == "context set" && last[0].empty();
      const absl::Status status = forgets ? absl::OkStatus() : CheckOption(option, &last);
      if (!status.ok()) return WrongLine(&command, status.message());
      given[option.name] = last[0];
    }
  }
  return given;
}

// False for commands that must run despite an invalid context file, or that repair it.
bool UsesContext(const CommandSpec& command) {
  return command.name != "version" && command.name != "completion" && command.name != "help" &&
         !absl::StartsWith(command.name, "context ");
}

absl::Status FillSettings(const Parser& parser, const Environment& environment,
                          Invocation* invocation) {
  FPO_ASSIGN_OR_RETURN(const GivenOptions given, GivenIn(parser, *invocation->command));
  Settings& settings = invocation->settings;
  settings.json = SharedFlag(parser, "json");
  settings.quiet = SharedFlag(parser, "quiet");
  for (const auto& [name, value] : given) invocation->values[name] = {value};
  if (!UsesContext(*invocation->command)) return absl::OkStatus();
  return ResolveSettings(given, environment, &settings);
}

// Rewords CLI11's messages that read badly.
std::string ParseMessage(const CLI::ParseError& error) {
  const std::string message = error.what();
  const size_t colon = message.find(": ");
  if (absl::EndsWith(message, " missing") && colon != std::string::npos) {
    return absl::StrCat(message.substr(0, colon), " needs a value");
  }
  return message;
}

// A flag that is given a value ("--json=yes"), or "".
std::string FlagWithValue(const std::vector<OptionSpec>& options,
                          const std::vector<std::string>& args) {
  for (const OptionSpec& option : options) {
    if (option.kind != ValueKind::kFlag) continue;
    const std::string name = absl::StrCat("--", option.name);
    for (const std::string& arg : args) {
      if (absl::StartsWith(arg, name + "=")) return name;
    }
  }
  return "";
}

// Describes what CLI11 found wrong with the line of a command.
absl::Status ErrorOfLine(const Parser& parser, const CommandSpec& command,
                         const std::vector<std::string>& args, const CLI::ParseError& error) {
  if (error.get_exit_code() != static_cast<int>(CLI::ExitCodes::ExtrasError)) {
    return WrongLine(&command, ParseMessage(error));
  }
  std::vector<std::string> extras = parser.app.remaining(/*recurse=*/true);
  if (extras.empty()) extras.emplace_back();
  const auto flag = std::find_if(extras.begin(), extras.end(), [](const std::string& word) {
    return word.size() > 1 && word[0] == '-';
  });
  return UnexpectedWord(command, args, flag == extras.end() ? extras.front() : *flag);
}

absl::Status CheckFlagsAlone(const CommandSpec& command, const std::vector<std::string>& args) {
  std::string flag = FlagWithValue(SharedOptions(), args);
  if (flag.empty()) flag = FlagWithValue(command.options, args);
  if (flag.empty()) return absl::OkStatus();
  return WrongLine(&command, absl::StrCat(flag, " takes no value"));
}

// The help page of a command, of a group, or the overview.
std::string HelpOf(const CommandSpec* command, const std::vector<std::string>& args) {
  if (command != nullptr) return CommandHelp(*command);
  const std::vector<std::string> words = CommandWords(args);
  return words.empty() ? OverviewHelp() : GroupHelp(words.front());
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string ConfigPath() {
  const std::string config = Variable("XDG_CONFIG_HOME");  // must be absolute to count
  if (!config.empty() && config[0] == '/') return config + "/fpo/config.yaml";
  const std::string home = Variable("HOME");
  return home.empty() ? "" : home + "/.config/fpo/config.yaml";
}

std::string UserName() {
  const std::string named = Variable("USER");
  if (!named.empty()) return named;
  const passwd* entry = getpwuid(getuid());
  return entry == nullptr ? absl::StrCat(getuid()) : entry->pw_name;
}

bool IsUtf8Locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = absl::AsciiStrToLower(Variable(name));
    if (!value.empty())
      return absl::StrContains(value, "utf-8") || absl::StrContains(value, "utf8");
  }
  return false;
}

int TerminalColumns() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  int columns = 0;
  return absl::SimpleAtoi(Variable("COLUMNS"), &columns) && columns > 0 ? columns : 80;
}

}  // namespace

ParsedLine ParseCommandLine(const std::vector<std::string>& args, const Environment& environment) {
  ParsedLine line;
  line.json = std::find(args.begin(), args.end(), "--json") != args.end();
  line.error = CheckCommandWords(args);
  if (!line.error.ok()) return line;
  Parser parser;
  BuildParser(&parser);
  std::optional<CLI::ParseError> wrong;
  try {
    parser.app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::ParseError& error) {
    wrong = error;
  }
  const CommandSpec* command =
      SharedFlag(parser, "version") ? FindCommand("version") : Chosen(parser);
  if (!wrong && SharedFlag(parser, "help")) {
    line.help = HelpOf(command, args);
    return line;
  }
  if (command == nullptr) {
    line.error = wrong ? WrongLine(nullptr, ParseMessage(*wrong))
                       : UsageError("no command given", "fpoctl --help");
    return line;
  }
  if (wrong) {
    line.error = ErrorOfLine(parser, *command, args, *wrong);
    return line;
  }
  Invocation invocation;
  invocation.command = command;
  invocation.typed = args;
  line.error = FillSettings(parser, environment, &invocation);
  if (line.error.ok()) line.error = CheckFlagsAlone(*command, args);
  if (line.error.ok()) line.error = Collect(parser.slots[command], &invocation);
  if (line.error.ok()) line.invocation = std::move(invocation);
  return line;
}

Environment ReadEnvironment() {
  Environment environment;
  environment.server = Variable("FPO_SERVER");
  environment.cache_server = Variable("FPO_CACHE_SERVER");
  environment.token_file = Variable("FPO_TOKEN_FILE");
  environment.tls_ca = Variable("FPO_TLS_CA");
  environment.tls_cert = Variable("FPO_TLS_CERT");
  environment.tls_key = Variable("FPO_TLS_KEY");
  environment.context = Variable("FPO_CONTEXT");
  environment.config_path = ConfigPath();
  environment.user = UserName();
  environment.out_is_terminal = isatty(STDOUT_FILENO) != 0 && Variable("TERM") != "dumb";
  environment.err_is_terminal = isatty(STDERR_FILENO) != 0;
  environment.style.unicode = IsUtf8Locale();
  environment.style.columns = environment.out_is_terminal ? TerminalColumns() : 0;
  environment.style.color = environment.out_is_terminal && Variable("NO_COLOR").empty();
  environment.style.zone = absl::LocalTimeZone();
  environment.variables = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) environment.trainer = (program.parent_path() / "fpo-train").string();
  return environment;
}

}  // namespace fpo::ctl
