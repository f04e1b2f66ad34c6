#include "ctl/commands/token_commands.h"

#include "ctl/commands/commands.h"

namespace fpo::ctl {
namespace {

OptionSpec AccessOption() {
  return {"access",
          "",
          ValueKind::kFile,
          "FILE",
          "the list that fpo-coordinator and fpo-cache run with",
          false,
          {},
          true};
}

CommandSpec CreateCommand() {
  CommandSpec c{"token create", "admin", "let somebody use the services"};
  c.details =
      "Adds a name to the list and prints the token, once: only its SHA-256 is kept. The services "
      "read the list again when it changes. Roles: reader (look), user (submit jobs and change the "
      "own ones), worker (agents and replicas), admin. Whoever has the token shows it by "
      "--token-file or FPO_TOKEN_FILE.";
  c.arguments = {
      {"NAME", ValueKind::kUser, "owns the jobs and records of whoever shows the token"}};
  c.options = {AccessOption(),
               {"role",
                "",
                ValueKind::kChoice,
                "ROLE",
                "what NAME may do (default: user)",
                false,
                {"reader", "user", "worker", "admin"}},
               {"group", "", ValueKind::kUser, "GROUP",
                "what is shared with group:GROUP is there for NAME", true},
               {"for", "", ValueKind::kDuration, "DURATION", "how long it is good (default: ever)"},
               {"another", "", ValueKind::kFlag, "",
                "one more token of a NAME that has one, e.g. to change over to it"},
               {"out", "", ValueKind::kFile, "FILE",
                "write the token there, for its owner to read alone, instead of printing it"}};
  c.examples = {{"fpoctl token create ana --group align --access access.json --out ana.token", ""},
                {"fpoctl token create host-1 --role worker --access access.json --out host-1",
                 "for fpo-worker --token-file host-1"}};
  c.json = {"{name, role, groups, id, expires, token}"};
  c.run = RunTokenCreate;
  return c;
}

CommandSpec ListTokensCommand() {
  CommandSpec c{"token list", "admin", "who may use the services"};
  c.options = {AccessOption()};
  c.examples = {{"fpoctl token list --access access.json", ""}};
  c.json = {"{name, role, groups, id, certificate, expires}"};
  c.run = RunTokenList;
  return c;
}

CommandSpec RevokeCommand() {
  CommandSpec c{"token revoke", "admin", "end what somebody may do"};
  c.details =
      "Removes every entry of the name, or one token alone by its id. What they submitted goes on.";
  c.arguments = {{"NAME", ValueKind::kUser, "as fpoctl token list shows it"}};
  c.options = {AccessOption(),
               {"id", "", ValueKind::kManifest, "ID", "only the token with this id"}};
  c.examples = {{"fpoctl token revoke ana --access access.json", "all she has"},
                {"fpoctl token revoke ana --id 1a2b3c4d --access access.json",
                 "one of several, as fpoctl token list shows it"}};
  c.json = {"{name, removed}"};
  c.run = RunTokenRevoke;
  return c;
}

}  // namespace

std::vector<CommandSpec> TokenCommands() {
  return {CreateCommand(), ListTokensCommand(), RevokeCommand()};
}

}  // namespace fpo::ctl
