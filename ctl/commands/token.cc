#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/access_list.h"
#include "common/error_info.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "ctl/command_line/hint.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/session.h"
#include "ctl/show/human.h"
#include "ctl/show/text_layout.h"

namespace fpo::ctl {
namespace {

absl::StatusOr<AccessList> ReadList(const std::string& path, bool may_be_absent) {
  if (std::filesystem::is_directory(path)) return PosixError(EISDIR, "read", path);
  if (may_be_absent && !std::filesystem::exists(path)) return AccessList();
  std::ifstream file(path);
  if (!file) return PosixError(errno, "read the access list", path);
  std::stringstream text;
  text << file.rdbuf();
  absl::StatusOr<AccessList> list = AccessList::Parse(text.str());
  if (list.ok()) return list;
  return WithErrorInfo(
      absl::InvalidArgumentError(absl::StrCat(path, ": ", list.status().message())),
      {.reason = ErrorReason::kAccessList,
       .hint = "is it the file of --access? it is JSON with a list of principals"});
}

// Changes of a list follow each other: each reads what the one before has written. The lock is a
// file beside the list, because the list itself is replaced.
absl::StatusOr<FileDescriptor> LockList(const std::string& path) {
  const std::string name = path + ".lock";
  FileDescriptor file(open(name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.is_open()) return PosixError(errno, "write", errno == ENOENT ? path : name);
  while (flock(file.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return PosixError(errno, "lock", name);
  }
  return file;
}

// Atomic; the list keeps its owner and mode, by which the services may read it.
absl::Status WriteList(const std::string& path, const AccessList& list) {
  const std::string made = absl::StrCat(path, ".", RandomId(4), ".tmp");
  struct stat info = {};
  const bool was_there = stat(path.c_str(), &info) == 0;
  FileDescriptor file(
      open(made.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640));
  if (!file.is_open()) return PosixError(errno, "write", made);
  absl::Status status;
  if (was_there) {
    // Only root may give a file away; the mode matters more then.
    const bool owned =
        fchown(file.get(), info.st_uid, info.st_gid) == 0 || geteuid() == info.st_uid;
    if (!owned || fchmod(file.get(), info.st_mode & 0777) != 0) {
      status = PosixError(errno, "keep owner and mode of", path);
    }
  }
  if (status.ok()) status = WriteAll(file, list.ToJson(), made);
  if (status.ok() && fsync(file.get()) != 0) status = PosixError(errno, "fsync", made);
  if (status.ok() && rename(made.c_str(), path.c_str()) != 0) {
    status = PosixError(errno, "rename", made);
  }
  if (status.ok()) return SyncParentFolder(path);
  unlink(made.c_str());
  return status;
}

// Atomic, and readable only by its owner.
absl::Status WriteToken(const std::string& path, const std::string& token) {
  const FileDescriptor file(
      open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!file.is_open()) return PosixError(errno, "write the token to", path);
  const absl::Status written = WriteAll(file, token + "\n", path);
  if (!written.ok()) unlink(path.c_str());
  return written;
}

absl::StatusOr<AccessEntry> NewEntry(const Invocation& invocation, const std::string& token) {
  AccessEntry entry;
  entry.principal.name = invocation.Get("NAME");
  FPO_ASSIGN_OR_RETURN(
      entry.principal.role,
      ParseRole(invocation.Has("role") ? invocation.Get("role") : std::string("user")));
  entry.principal.groups = invocation.GetAll("group");
  entry.principal.workers = invocation.GetAll("worker");
  entry.token_sha256 = Sha256Of(token);
  if (const auto life = invocation.GetDuration("for")) entry.expires = absl::Now() + *life;
  return entry;
}

// The id of a token: the beginning of its SHA-256, which the list shows.
std::string IdOf(const AccessEntry& entry) {
  constexpr size_t kDigits = 8;
  return entry.token_sha256 ? ToHex(*entry.token_sha256).substr(0, kDigits) : "";
}

std::string EntryJson(const AccessEntry& entry, const std::string& token) {
  JsonObject json;
  json.Add("name", entry.principal.name);
  json.Add("role", RoleName(entry.principal.role));
  std::vector<std::string> groups;
  for (const std::string& group : entry.principal.groups) groups.push_back(JsonQuote(group));
  json.AddRaw("groups", JsonArray(groups));
  if (!entry.principal.workers.empty()) {
    std::vector<std::string> workers;
    for (const std::string& each : entry.principal.workers) workers.push_back(JsonQuote(each));
    json.AddRaw("workers", JsonArray(workers));
  }
  json.Add("id", IdOf(entry));
  if (!entry.certificate.empty()) json.Add("certificate", entry.certificate);
  const bool ends = entry.expires != absl::InfiniteFuture();
  json.Add("expires",
           ends ? absl::FormatTime(absl::RFC3339_sec, entry.expires, absl::UTCTimeZone()) : "");
  if (!token.empty()) json.Add("token", token);
  return json.Text();
}

// A second token for a name must be intended: repeating the command by accident would leave a token
// that is not looked after.
absl::Status CheckIsNew(const Session& session, const AccessList& list) {
  const std::string name = session.invocation.Get("NAME");
  if (session.invocation.Has("another")) return absl::OkStatus();
  for (const AccessEntry& entry : list.entries()) {
    if (entry.principal.name != name || !entry.token_sha256) continue;
    std::vector<std::string> again = session.invocation.typed;
    again.emplace_back("--another");
    return WithErrorInfo(
        absl::AlreadyExistsError(absl::StrCat(name, " has a token already, ", IdOf(entry), ", as ",
                                              RoleName(entry.principal.role))),
        {.reason = ErrorReason::kHasToken,
         .hint = absl::StrCat("to add one, e.g. to switch to it: ", CommandLineOf(again))});
  }
  return absl::OkStatus();
}

std::string Expiry(const AccessEntry& entry, const TextStyle& style) {
  return entry.expires == absl::InfiniteFuture() ? "never" : LocalTime(entry.expires, style.zone);
}

absl::StatusOr<ExitCode> RunTokenCreate(Session& session) {
  const std::string path = session.invocation.Get("access");
  FPO_ASSIGN_OR_RETURN(const FileDescriptor lock, LockList(path));
  FPO_ASSIGN_OR_RETURN(AccessList list, ReadList(path, /*may_be_absent=*/true));
  FPO_RETURN_IF_ERROR(CheckIsNew(session, list));
  const std::string token = NewToken();
  FPO_ASSIGN_OR_RETURN(AccessEntry entry, NewEntry(session.invocation, token));
  list.mutable_entries().push_back(entry);
  // What is written must be valid for the services; reading it again checks the names.
  FPO_RETURN_IF_ERROR(AccessList::Parse(list.ToJson()).status());
  const bool to_file = session.invocation.Has("out");
  if (to_file) FPO_RETURN_IF_ERROR(WriteToken(session.invocation.Get("out"), token));
  const absl::Status kept = WriteList(path, list);
  if (!kept.ok()) {
    if (to_file) unlink(session.invocation.Get("out").c_str());  // it opens nothing
    return kept;
  }
  if (session.settings().json) {
    session.out << EntryJson(entry, to_file ? "" : token) << "\n";
    return ExitCode::kOk;
  }
  session.err << "added " << entry.principal.name << " as " << RoleName(entry.principal.role)
              << " to " << path << "; services that use it accept the token within a second\n";
  if (!to_file) session.out << token << "\n";
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunTokenList(Session& session) {
  FPO_ASSIGN_OR_RETURN(const AccessList list, ReadList(session.invocation.Get("access"), false));
  if (session.settings().json) {
    for (const AccessEntry& entry : list.entries()) session.out << EntryJson(entry, "") << "\n";
    return ExitCode::kOk;
  }
  Table table;
  table.header = {"NAME", "ROLE", "GROUPS", "BY", "EXPIRES"};
  for (const AccessEntry& entry : list.entries()) {
    const std::string by = entry.token_sha256 ? absl::StrCat("token ", IdOf(entry))
                                              : absl::StrCat("certificate ", entry.certificate);
    table.rows.push_back({entry.principal.name, std::string(RoleName(entry.principal.role)),
                          absl::StrJoin(entry.principal.groups, ","), by,
                          Expiry(entry, session.style())});
  }
  session.out << RenderTable(table, session.style());
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunTokenRevoke(Session& session) {
  const std::string path = session.invocation.Get("access");
  const std::string name = session.invocation.Get("NAME");
  FPO_ASSIGN_OR_RETURN(const FileDescriptor lock, LockList(path));
  FPO_ASSIGN_OR_RETURN(AccessList list, ReadList(path, false));
  std::vector<AccessEntry>& entries = list.mutable_entries();
  const std::string id = absl::AsciiStrToLower(session.invocation.Get("id"));
  const size_t removed = std::erase_if(entries, [&](const AccessEntry& entry) {
    const bool meant =
        id.empty() || (entry.token_sha256 && absl::StartsWith(ToHex(*entry.token_sha256), id));
    return meant && entry.principal.name == name;
  });
  if (removed == 0) {
    return WithErrorInfo(
        absl::NotFoundError(id.empty() ? absl::StrCat("there is no ", name, " in ", path)
                                       : absl::StrCat(name, " has no token ", id, " in ", path)),
        {.reason = ErrorReason::kNoPrincipal,
         .hint = CommandLineOf({"token", "list", "--access", path})});
  }
  FPO_RETURN_IF_ERROR(WriteList(path, list));
  if (session.settings().json) {
    JsonObject json;
    json.Add("name", name);
    json.Add("removed", removed);
    session.out << json.Text() << "\n";
    return ExitCode::kOk;
  }
  session.err << "removed " << removed << (removed == 1 ? " entry" : " entries") << " of " << name
              << "; services reject them within a second\n";
  return ExitCode::kOk;
}

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

}  // namespace

CommandSpec TokenCreateCommand() {
  CommandSpec c{"token create", "admin", "create a token for a caller of the services"};
  c.details =
      "Adds a name to the list and prints the token, once: only its SHA-256 is kept. The services "
      "read the list again when it changes. Roles: reader (read only), user (submit jobs and "
      "change "
      "their own), worker (agents and replicas), admin. Callers present the token with "
      "--token-file or FPO_TOKEN_FILE.";
  c.arguments = {{"NAME", ValueKind::kUser, "the caller's name, which owns its jobs and records"}};
  c.options = {
      AccessOption(),
      {"role",
       "",
       ValueKind::kChoice,
       "ROLE",
       "what NAME may do (default: user)",
       false,
       {"reader", "user", "worker", "admin"}},
      {"group", "", ValueKind::kUser, "GROUP", "NAME may read what is shared with group:GROUP",
       true},
      {"worker", "", ValueKind::kText, "NAME",
       "of role worker: a worker it may be beside none other, NAME* for all that begin so "
       "(default: "
       "the one called NAME)",
       true},
      {"for", "", ValueKind::kDuration, "DURATION", "how long it is valid (default: forever)"},
      {"another", "", ValueKind::kFlag, "",
       "add a token to a NAME that has one, e.g. to switch to it"},
      {"out", "", ValueKind::kFile, "FILE",
       "write the token to a file that only its owner can read, instead of printing it"}};
  c.examples = {{"fpoctl token create ana --group align --access access.json --out ana.token", ""},
                {"fpoctl token create host-1 --role worker --access access.json --out host-1",
                 "for fpo-worker --token-file host-1"}};
  c.json = {"{name, role, groups, workers, id, expires, token}"};
  c.run = RunTokenCreate;
  return c;
}

CommandSpec TokenListCommand() {
  CommandSpec c{"token list", "admin", "list who may use the services"};
  c.options = {AccessOption()};
  c.examples = {{"fpoctl token list --access access.json", ""}};
  c.json = {"{name, role, groups, workers, id, certificate, expires}"};
  c.run = RunTokenList;
  return c;
}

CommandSpec TokenRevokeCommand() {
  CommandSpec c{"token revoke", "admin", "revoke the tokens of a caller"};
  c.details =
      "Removes every entry of the name, or one token by its id. Jobs already submitted continue.";
  c.arguments = {{"NAME", ValueKind::kUser, "as fpoctl token list shows it"}};
  c.options = {AccessOption(),
               {"id", "", ValueKind::kManifest, "ID", "only the token with this id"}};
  c.examples = {{"fpoctl token revoke ana --access access.json", "all of them"},
                {"fpoctl token revoke ana --id 1a2b3c4d --access access.json",
                 "one of several, as fpoctl token list shows it"}};
  c.json = {"{name, removed}"};
  c.run = RunTokenRevoke;
  return c;
}

}  // namespace fpo::ctl
