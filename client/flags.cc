#include "client/flags.h"

#include <pwd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <list>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/command_table.h"
#include "client/context_file.h"
#include "client/exit_code.h"
#include "client/settings.h"
#include "common/status_macros.h"

namespace fpo::client {
namespace {

// CLI11 writes into these while it parses; addresses must stay.
struct Slot {
  std::string name;
  std::vector<std::string> values;
  bool flag = false;
};

// The parser of one run, made from the command table.
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
  // "--data a b", as a shell expands *.jsonl; other values stand one by one.
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
    // One word each, so that the next word is the next argument's.
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

// Edits between two words, for "did you mean".
size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t up = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = up;
    }
  }
  return row[b.size()];
}

std::string Nearest(const std::string& word) {
  std::string best;
  size_t best_distance = 3;
  for (const CommandSpec& command : Commands()) {
    const size_t distance = Distance(word, command.name);
    if (distance < best_distance) {
      best = command.name;
      best_distance = distance;
    }
  }
  return best;
}

const CommandSpec* Chosen(const Parser& parser) {
  for (const auto& [command, app] : parser.commands) {
    if (app->parsed()) return command;
  }
  return nullptr;
}

std::string HelpHint(const CommandSpec* command) {
  return command == nullptr ? "fpoctl --help" : absl::StrCat("fpoctl ", command->name, " --help");
}

absl::Status Wrong(const CommandSpec* command, absl::string_view message) {
  const std::string name = command == nullptr ? "" : absl::StrCat(command->name, ": ");
  return UsageError(absl::StrCat(name, message), HelpHint(command));
}

absl::Status NoCommand(const std::vector<std::string>& args) {
  const auto word = std::find_if(args.begin(), args.end(),
                                 [](const std::string& a) { return !a.empty() && a[0] != '-'; });
  if (word == args.end()) return UsageError("no command given", "fpoctl --help");
  std::vector<std::string> group;
  for (const CommandSpec& command : Commands()) {
    if (absl::StartsWith(command.name, *word + " ")) group.push_back("fpoctl " + command.name);
  }
  if (!group.empty()) {
    return UsageError(absl::StrCat("'", *word, "' needs to know what to do"),
                      absl::StrJoin(group, " or "));
  }
  const std::string nearest = Nearest(*word);
  return UsageError(absl::StrCat("there is no command '", *word, "'"),
                    nearest.empty() ? "fpoctl --help" : absl::StrCat("fpoctl ", nearest));
}

absl::Status CheckValue(const std::string& name, ValueKind kind, const std::string& value,
                        const std::vector<std::string>& choices) {
  const auto bad = [&](absl::string_view wanted) {
    return absl::InvalidArgumentError(absl::StrCat(name, " is '", value, "' and must be ", wanted));
  };
  int64_t count = 0;
  absl::Duration duration;
  if (kind == ValueKind::kCount &&
      (!absl::SimpleAtoi(value, &count) || count < 0 || count > INT32_MAX)) {
    return bad("a whole number from 0 to 2147483647");
  }
  if (kind == ValueKind::kDuration &&
      (!absl::ParseDuration(value, &duration) || duration <= absl::ZeroDuration())) {
    return bad("a duration above 0 such as 90s, 10m or 1h30m");
  }
  const size_t equals = value.find('=');
  if (kind == ValueKind::kSetting && (equals == std::string::npos || equals == 0)) {
    return bad("KEY=VALUE, e.g. method.beta=2");
  }
  if (kind == ValueKind::kChoice &&
      std::find(choices.begin(), choices.end(), value) == choices.end()) {
    return bad(absl::StrCat("one of ", absl::StrJoin(choices, ", ")));
  }
  if (kind == ValueKind::kContext && !IsContextName(value)) {
    return bad("letters, digits, '.', '_' and '-', at most 63");
  }
  if (value.empty() && kind != ValueKind::kText) return bad("not empty");
  return absl::OkStatus();
}

absl::Status CheckOption(const OptionSpec& option, std::vector<std::string>* values) {
  if (values->size() > 1 && !option.repeated) {
    return absl::InvalidArgumentError(absl::StrCat("--", option.name, " is given ", values->size(),
                                                   " times and may be given once"));
  }
  for (std::string& value : *values) {
    // States are written in capitals everywhere but by hand.
    if (option.name == "state") value = absl::AsciiStrToUpper(value);
    const absl::Status status =
        CheckValue(absl::StrCat("--", option.name), option.kind, value, option.choices);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckArgument(const ArgumentSpec& argument, const std::vector<std::string>& values) {
  if (values.empty() && argument.required) {
    return absl::InvalidArgumentError(absl::StrCat(argument.name, " is missing: ", argument.help));
  }
  for (const std::string& value : values) {
    const absl::Status status = CheckValue(argument.name, argument.kind, value, argument.choices);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Collect(std::list<Slot>& slots, Invocation* invocation) {
  for (Slot& slot : slots) {
    if (slot.flag) invocation->values[slot.name] = {"true"};
    if (!slot.values.empty()) invocation->values[slot.name] = std::move(slot.values);
  }
  const CommandSpec& command = *invocation->command;
  for (const ArgumentSpec& argument : command.arguments) {
    const absl::Status status = CheckArgument(argument, invocation->GetAll(argument.name));
    if (!status.ok()) return Wrong(&command, status.message());
  }
  for (const OptionSpec& option : command.options) {
    if (!invocation->Has(option.name) && option.required) {
      return Wrong(&command, absl::StrCat("--", option.name, " is missing: ", option.help));
    }
    if (!invocation->Has(option.name)) continue;
    const absl::Status status = CheckOption(option, &invocation->values[option.name]);
    if (!status.ok()) return Wrong(&command, status.message());
  }
  return absl::OkStatus();
}

bool SharedFlag(const Parser& parser, absl::string_view name) {
  return std::any_of(parser.shared.begin(), parser.shared.end(),
                     [name](const Slot& slot) { return slot.name == name && slot.flag; });
}

// The shared options that were given and take a value.
absl::StatusOr<GivenOptions> GivenIn(const Parser& parser) {
  GivenOptions given;
  for (const OptionSpec& option : SharedOptions()) {
    for (const Slot& slot : parser.shared) {
      if (slot.name != option.name || slot.values.empty()) continue;
      if (option.kind == ValueKind::kContext) {
        const absl::Status status =
            CheckValue("--context", option.kind, slot.values.back(), option.choices);
        if (!status.ok()) return Wrong(nullptr, status.message());
      }
      given[option.name] = slot.values.back();
    }
  }
  return given;
}

// Commands that a wrong file of contexts must not keep from running, or that mend it.
bool UsesContext(const CommandSpec& command) {
  return command.name != "version" && command.name != "completion" &&
         !absl::StartsWith(command.name, "context ");
}

absl::Status FillSettings(const Parser& parser, const Environment& environment,
                          Invocation* invocation) {
  FPO_ASSIGN_OR_RETURN(const GivenOptions given, GivenIn(parser));
  Settings& settings = invocation->settings;
  settings.json = SharedFlag(parser, "json");
  settings.quiet = SharedFlag(parser, "quiet");
  for (const auto& [name, value] : given) invocation->values[name] = {value};
  if (!UsesContext(*invocation->command)) return absl::OkStatus();
  return ResolveSettings(given, environment, &settings);
}

// CLI11's words for an argument nobody knows are long; the rest of its messages read well as they
// are.
std::string ParseMessage(const CLI::ParseError& error) {
  const std::string message = error.what();
  const size_t colon = message.find(": ");
  const bool extras = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError);
  if (!extras || colon == std::string::npos) return message;
  return absl::StrCat("unexpected argument '", message.substr(colon + 2), "'");
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
  Parser parser;
  BuildParser(&parser);
  absl::Status parsed;
  try {
    parser.app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::ParseError& error) {
    parsed = absl::InvalidArgumentError(ParseMessage(error));
  }
  line.json =
      SharedFlag(parser, "json") || std::find(args.begin(), args.end(), "--json") != args.end();
  const CommandSpec* command =
      SharedFlag(parser, "version") ? FindCommand("version") : Chosen(parser);
  if (parsed.ok() && SharedFlag(parser, "help")) {
    line.help = command == nullptr ? OverviewHelp() : CommandHelp(*command);
    return line;
  }
  if (command == nullptr) {
    line.error = NoCommand(args);
    return line;
  }
  if (!parsed.ok()) {
    line.error = Wrong(command, parsed.message());
    return line;
  }
  Invocation invocation;
  invocation.command = command;
  line.error = FillSettings(parser, environment, &invocation);
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
  return environment;
}

}  // namespace fpo::client
