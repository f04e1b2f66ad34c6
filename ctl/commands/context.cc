// fpoctl context: named sets of services, kept in one file of the user.
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/error_info.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "ctl/command_line/context_file.h"
#include "ctl/command_line/settings.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/session.h"

namespace fpo::ctl {
namespace {

constexpr char kShape[] =
    "{name, current, server, cache_server, tls_ca, tls_cert, tls_key, token_file}";

constexpr const char* kSettable[] = {"server",   "cache-server", "tls-ca",
                                     "tls-cert", "tls-key",      "token-file"};

absl::Status NoContext(const std::string& name) {
  return WithErrorInfo(absl::NotFoundError(absl::StrCat("there is no context \"", name, "\"")),
                       {.reason = ErrorReason::kNoContext, .hint = "fpoctl context list"});
}

absl::StatusOr<std::string> PathOf(const Session& session) {
  if (!session.environment.config_path.empty()) return session.environment.config_path;
  return WithErrorInfo(
      absl::FailedPreconditionError("neither XDG_CONFIG_HOME nor HOME names a folder"),
      {.reason = ErrorReason::kNoHome, .hint = "export HOME"});
}

std::string ContextJson(const std::string& name, const Context& context, bool current) {
  JsonObject json;
  json.Add("name", name);
  json.Add("current", current);
  Context copy = context;
  for (const char* option : kSettable) {
    const std::string field = absl::StrReplaceAll(option, {{"-", "_"}});
    json.Add(field, *FieldOf(field, &copy));
  }
  return json.Text();
}

bool PrintedAsJson(Session& session, const std::string& name, const ContextFile& file) {
  if (!session.settings().json) return false;
  session.out << ContextJson(name, file.contexts.at(name), file.current == name) << "\n";
  return true;
}

absl::StatusOr<ExitCode> RunContextList(Session& session) {
  FPO_ASSIGN_OR_RETURN(const ContextFile file, ReadContexts(session.environment.config_path));
  Table table;
  table.header = {"CURRENT", "NAME", "SERVER", "CACHE", "TLS CA", "TOKEN FILE"};
  for (const auto& [name, context] : file.contexts) {
    const bool current = name == file.current;
    if (session.settings().json) {
      session.out << ContextJson(name, context, current) << "\n";
    } else if (session.settings().quiet) {
      session.out << name << "\n";
    }
    table.rows.push_back({current ? "*" : "", name, context.server, context.cache_server,
                          context.tls_ca, context.token_file});
  }
  if (session.settings().json || session.settings().quiet) return ExitCode::kOk;
  session.out << RenderTable(table, session.style());
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunContextSet(Session& session) {
  FPO_ASSIGN_OR_RETURN(const std::string path, PathOf(session));
  FPO_ASSIGN_OR_RETURN(ContextFile file, ReadContexts(path));
  const std::string name = session.invocation.Get("NAME");
  Context& context = file.contexts[name];
  bool given = false;
  for (const char* option : kSettable) {
    if (!session.invocation.Has(option)) continue;
    given = true;
    std::string value = session.invocation.Get(option);
    // A context may be used from other folders than the one it was created in.
    if (!absl::StrContains(option, "server") && !value.empty()) {
      value = std::filesystem::absolute(value).lexically_normal().string();
    }
    *FieldOf(absl::StrReplaceAll(option, {{"-", "_"}}), &context) = value;
  }
  if (!given) {
    return UsageError("context set: nothing to set", "fpoctl context set --help");
  }
  if (file.current.empty()) file.current = name;
  FPO_RETURN_IF_ERROR(WriteContexts(path, file));
  if (PrintedAsJson(session, name, file) || session.settings().quiet) return ExitCode::kOk;
  session.out << "context " << name
              << (file.current == name ? " is set, and the current one\n" : " is set\n");
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunContextUse(Session& session) {
  FPO_ASSIGN_OR_RETURN(const std::string path, PathOf(session));
  FPO_ASSIGN_OR_RETURN(ContextFile file, ReadContexts(path));
  const std::string name = session.invocation.Get("NAME");
  if (file.contexts.count(name) == 0) return NoContext(name);
  file.current = name;
  FPO_RETURN_IF_ERROR(WriteContexts(path, file));
  if (PrintedAsJson(session, name, file) || session.settings().quiet) return ExitCode::kOk;
  session.out << "context " << name << " is the current one\n";
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunContextRemove(Session& session) {
  FPO_ASSIGN_OR_RETURN(const std::string path, PathOf(session));
  FPO_ASSIGN_OR_RETURN(ContextFile file, ReadContexts(path));
  const std::string name = session.invocation.Get("NAME");
  if (file.contexts.erase(name) == 0) return NoContext(name);
  const bool was_current = file.current == name;
  if (was_current) file.current.clear();
  FPO_RETURN_IF_ERROR(WriteContexts(path, file));
  if (session.settings().json) {
    JsonObject json;
    json.Add("name", name);
    json.Add("removed", true);
    session.out << json.Text() << "\n";
    return ExitCode::kOk;
  }
  if (session.settings().quiet) return ExitCode::kOk;
  session.out << "context " << name << " is removed"
              << (was_current ? "; none is the current one now\n" : "\n");
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunContextShow(Session& session) {
  Settings now = session.settings();
  GivenOptions given;
  for (const auto& [name, values] : session.invocation.values) given[name] = values.back();
  FPO_RETURN_IF_ERROR(ResolveSettings(given, session.environment, &now));
  if (now.quiet) {
    session.out << now.context << "\n";
    return ExitCode::kOk;
  }
  const std::map<std::string, std::string> values = {
      {"server", now.server},   {"cache_server", now.cache_server},
      {"tls_ca", now.tls.ca},   {"tls_cert", now.tls.cert},
      {"tls_key", now.tls.key}, {"token_file", now.token_file}};
  if (now.json) {
    JsonObject json;
    json.Add("context", now.context);
    for (const auto& [name, value] : values) json.Add(name, value);
    session.out << json.Text() << "\n";
    return ExitCode::kOk;
  }
  Table table;
  table.header = {"SETTING", "VALUE", "FROM"};
  table.rows.push_back(
      {"context", now.context, now.context.empty() ? "" : session.environment.config_path});
  for (const char* name :
       {"server", "cache_server", "tls_ca", "tls_cert", "tls_key", "token_file"}) {
    table.rows.push_back({name, values.at(name), now.sources.at(name)});
  }
  session.out << RenderTable(table, session.style());
  return ExitCode::kOk;
}

ArgumentSpec ContextArgument() { return {"NAME", ValueKind::kContext, "a context's name"}; }

}  // namespace

CommandSpec ContextListCommand() {
  CommandSpec c{"context list", "admin", "list contexts"};
  c.details = "A context is a name for a coordinator, a cache and their credentials.";
  c.examples = {{"fpoctl context list", ""}};
  c.json = {kShape};
  c.run = RunContextList;
  return c;
}

CommandSpec ContextSetCommand() {
  CommandSpec c{"context set", "admin", "create or change a context"};
  c.details =
      "Keeps the values of the options given, in ~/.config/fpo/config.yaml; the others are "
      "unchanged. The "
      "first context becomes the current one.";
  c.arguments = {ContextArgument()};
  c.examples = {{"fpoctl context set lab --server lab-1:7070 --cache-server lab-1:7080", ""},
                {"fpoctl context set lab --tls-ca lab-ca.pem", "the rest is unchanged"}};
  c.json = {kShape};
  c.run = RunContextSet;
  return c;
}

CommandSpec ContextUseCommand() {
  CommandSpec c{"context use", "admin", "make a context the current one"};
  c.arguments = {ContextArgument()};
  c.examples = {{"fpoctl context use lab", "for all commands that name no other"}};
  c.json = {kShape};
  c.run = RunContextUse;
  return c;
}

CommandSpec ContextRemoveCommand() {
  CommandSpec c{"context rm", "admin", "remove a context"};
  c.arguments = {ContextArgument()};
  c.examples = {{"fpoctl context rm lab", ""}};
  c.json = {"{name, removed}"};
  c.run = RunContextRemove;
  return c;
}

CommandSpec ContextShowCommand() {
  CommandSpec c{"context show", "admin", "show the settings in force and where each is from"};
  c.examples = {{"fpoctl context show", ""}, {"fpoctl context show --context lab", ""}};
  c.json = {"{context, server, cache_server, tls_ca, tls_cert, tls_key, token_file}"};
  c.run = RunContextShow;
  return c;
}

}  // namespace fpo::ctl
