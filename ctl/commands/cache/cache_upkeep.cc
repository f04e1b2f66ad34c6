// fpoctl cache pin, unpin, verify, quarantine, gc, backup.
#include <optional>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/cache_client/reference_cache_client.h"
#include "common/error_info.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/commands/cache/cache_manifest.h"
#include "ctl/commands/cache/cache_render.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/session.h"
#include "ctl/show/human.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

// The state of a manifest after a command changed it.
absl::StatusOr<ExitCode> ShowManifest(Session& session, ReferenceCacheClient& cache,
                                      const Digest& manifest_id) {
  FPO_ASSIGN_OR_RETURN(const pb::GetManifestResponse answer, cache.GetManifest(manifest_id));
  const std::string hex = ToHex(manifest_id);
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << hex << "\n";
  } else {
    const std::string kept = RenderKept(answer.manifest(), session.style());
    session.out << "manifest " << hex
                << (answer.manifest().pinned() ? " is pinned\n" : " is not pinned\n") << kept;
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ListQuarantined(Session& session, ReferenceCacheClient& cache) {
  FPO_ASSIGN_OR_RETURN(const pb::ListQuarantinedResponse list, cache.ListQuarantined());
  if (session.settings().json) {
    session.out << WireJson(list) << "\n";
  } else if (session.settings().quiet) {
    for (const pb::QuarantinedRecord& record : list.records()) {
      session.out << absl::BytesToHexString(record.key()) << "\n";
    }
  } else {
    session.out << RenderQuarantined(list, session.style());
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunCachePin(Session& session) {
  FPO_ASSIGN_OR_RETURN(ReferenceCacheClient cache, ConnectCache(session));
  FPO_ASSIGN_OR_RETURN(const Digest manifest_id,
                       FindManifest(cache, session.invocation.Get("MANIFEST")));
  std::optional<absl::Time> until;
  if (const auto duration = session.invocation.GetDuration("for")) {
    until = absl::FromUnixSeconds(absl::ToUnixSeconds(absl::Now() + *duration));
  }
  FPO_RETURN_IF_ERROR(cache.Pin(manifest_id, until));
  return ShowManifest(session, cache, manifest_id);
}

absl::StatusOr<ExitCode> RunCacheUnpin(Session& session) {
  FPO_ASSIGN_OR_RETURN(ReferenceCacheClient cache, ConnectCache(session));
  FPO_ASSIGN_OR_RETURN(const Digest manifest_id,
                       FindManifest(cache, session.invocation.Get("MANIFEST")));
  FPO_RETURN_IF_ERROR(cache.Unpin(manifest_id));
  return ShowManifest(session, cache, manifest_id);
}

absl::StatusOr<ExitCode> RunCacheVerify(Session& session) {
  FPO_ASSIGN_OR_RETURN(ReferenceCacheClient cache, ConnectCache(session));
  std::optional<Digest> manifest_id;
  if (session.invocation.Has("MANIFEST")) {
    FPO_ASSIGN_OR_RETURN(manifest_id, FindManifest(cache, session.invocation.Get("MANIFEST")));
  }
  pb::VerifyResponse last;
  FPO_RETURN_IF_ERROR(cache.Verify(manifest_id, [&](const pb::VerifyResponse& report) {
    last = report;
    if (session.settings().json) session.out << WireJson(report) << "\n";
    if (!session.settings().quiet || session.settings().json) return;
    for (size_t i = 0; i + 32 <= report.damaged_keys().size(); i += 32) {
      session.out << absl::BytesToHexString(report.damaged_keys().substr(i, 32)) << "\n";
    }
  }));
  if (!session.settings().json && !session.settings().quiet) {
    session.out << VerifyLine(last) << "\n";
  }
  const bool whole = last.damaged() == 0 && last.damaged_files().empty();
  return whole ? ExitCode::kOk : ExitCode::kConflict;
}

absl::StatusOr<ExitCode> RunCacheQuarantine(Session& session) {
  FPO_ASSIGN_OR_RETURN(ReferenceCacheClient cache, ConnectCache(session));
  if (!session.invocation.Has("MANIFEST")) return ListQuarantined(session, cache);
  std::vector<Digest> keys;
  for (const std::string& key : session.invocation.GetAll("KEY")) {
    FPO_ASSIGN_OR_RETURN(const Digest digest, DigestFromHex(key));
    keys.push_back(digest);
  }
  FPO_ASSIGN_OR_RETURN(const Digest manifest_id,
                       FindManifest(cache, session.invocation.Get("MANIFEST")));
  FPO_ASSIGN_OR_RETURN(const pb::QuarantineResponse answer,
                       cache.Quarantine(manifest_id, keys, session.invocation.Get("reason")));
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
  } else if (!session.settings().quiet) {
    session.out << HumanCount(answer.records())
                << " records are out of use; the next job that needs them computes them again\n";
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunCacheGc(Session& session) {
  FPO_ASSIGN_OR_RETURN(ReferenceCacheClient cache, ConnectCache(session));
  FPO_ASSIGN_OR_RETURN(const pb::GcResponse report, cache.Gc(session.invocation.Has("dry-run")));
  if (session.settings().json) {
    session.out << WireJson(report) << "\n";
  } else if (session.settings().quiet) {
    for (const pb::GcManifest& manifest : report.manifests()) {
      if (manifest.remove()) {
        session.out << absl::BytesToHexString(manifest.manifest_id()) << "\n";
      }
    }
  } else {
    session.out << RenderGc(report, session.style());
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunCacheBackup(Session& session) {
  FPO_ASSIGN_OR_RETURN(ReferenceCacheClient cache, ConnectCache(session));
  FPO_ASSIGN_OR_RETURN(const pb::BackupResponse answer, cache.Backup());
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << answer.path() << "\n";
  } else {
    session.out << "copied " << HumanCount(answer.records()) << " records, "
                << HumanBytes(static_cast<double>(answer.bytes())) << ", to " << answer.path()
                << " on the cache's machine, and verified the copy\n";
  }
  return ExitCode::kOk;
}

}  // namespace

CommandSpec CachePinCommand() {
  CommandSpec c{"cache pin", "cache", "keep a manifest and its records whatever their age"};
  c.details =
      "A pinned manifest is removed neither for its age nor to make room, until it is unpinned or "
      "the time given with --for is over.";
  c.arguments = {ManifestArgument(true)};
  c.options = {{"for", "", ValueKind::kDuration, "DURATION",
                "so long, e.g. 720h (default: until it is unpinned)"}};
  c.examples = {{"fpoctl cache pin 3fa9c1", "until it is unpinned"},
                {"fpoctl cache pin 3fa9c1 --for 720h", "for thirty days"}};
  c.json = {"GetManifestResponse"};
  c.run = RunCachePin;
  return c;
}

CommandSpec CacheUnpinCommand() {
  CommandSpec c{"cache unpin", "cache", "let a pinned manifest age again"};
  c.arguments = {ManifestArgument(true)};
  c.examples = {{"fpoctl cache unpin 3fa9c1", ""}};
  c.json = {"GetManifestResponse"};
  c.run = RunCacheUnpin;
  return c;
}

CommandSpec CacheVerifyCommand() {
  CommandSpec c{"cache verify", "cache", "compare stored records with their digests"};
  c.details =
      "Reads every record of the manifest, or of the whole cache, and compares it with its "
      "SHA-256; without a manifest the store's files are compared with their checksums first. What "
      "is damaged is quarantined: it counts as absent, and the next job that needs it computes it "
      "again. Exit code 7 when something was damaged.";
  c.arguments = {ManifestArgument(false)};
  c.examples = {{"fpoctl cache verify 3fa9c1", "one manifest"},
                {"fpoctl cache verify", "everything; reads the whole store"}};
  c.json = {"VerifyResponse"};
  c.run = RunCacheVerify;
  return c;
}

CommandSpec CacheQuarantineCommand() {
  CommandSpec c{"cache quarantine", "cache", "take records out of use, or list those that are"};
  c.details =
      "With a manifest: all its records, or the keys given, count as absent from now on and are "
      "computed again by the next job that needs them. Without one: lists what is out of use, when "
      "and why.";
  c.arguments = {ManifestArgument(false),
                 {"KEY", ValueKind::kKey, "64 hex digits; none: all records", false, true}};
  c.options = {{"reason", "", ValueKind::kText, "TEXT", "kept with the evidence"}};
  c.examples = {{"fpoctl cache quarantine", "what is out of use"},
                {"fpoctl cache quarantine 3fa9c1 --reason faulty-gpu",
                 "the next job computes this data set again"}};
  c.json = {"QuarantineResponse", "ListQuarantinedResponse"};
  c.run = RunCacheQuarantine;
  return c;
}

CommandSpec CacheGcCommand() {
  CommandSpec c{"cache gc", "cache", "remove unneeded data now"};
  c.details =
      "The cache does this by itself every hour. A manifest is removed when it was unused for long "
      "(--keep-unused of fpo-cache, 30 days), or earlier, the longest unused first, while more is "
      "stored than --evict-mib allows. Pinned ones, and those of running jobs, are kept. Records "
      "are removed "
      "when no manifest names them any more.";
  c.options = {{"dry-run", "", ValueKind::kFlag, "",
                "remove nothing; say for each manifest why it would be kept or removed"}};
  c.examples = {{"fpoctl cache gc --dry-run", "what would be removed, and why the rest is kept"},
                {"fpoctl cache gc", "do it"}};
  c.json = {"GcResponse"};
  c.run = RunCacheGc;
  return c;
}

CommandSpec CacheBackupCommand() {
  CommandSpec c{"cache backup", "cache", "copy the whole store on the cache's machine"};
  c.details =
      "The copy is made of hard links, opened and verified before it counts. It is in the folder "
      "that fpo-cache was started with (--backups) and opens as a store: fpo-cache --data COPY.";
  c.examples = {{"fpoctl cache backup", ""}};
  c.json = {"BackupResponse"};
  c.run = RunCacheBackup;
  return c;
}

}  // namespace fpo::ctl
