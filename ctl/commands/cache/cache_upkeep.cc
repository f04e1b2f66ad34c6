// fpoctl cache pin, unpin, verify, quarantine, gc, backup.
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "ctl/commands/cache/cache_commands.h"
#include "ctl/commands/cache/cache_manifest.h"
#include "ctl/commands/cache/cache_render.h"
#include "ctl/rpc/convert.h"
#include "ctl/rpc/session.h"
#include "ctl/show/human.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

// The state of a manifest after a command changed it.
absl::StatusOr<ExitCode> ShowManifest(Session& session, CacheClient& cache,
                                      const std::string& manifest_id) {
  FPO_ASSIGN_OR_RETURN(const pb::GetManifestResponse answer, cache.GetManifest(manifest_id));
  const std::string hex = absl::BytesToHexString(manifest_id);
  if (session.settings().json) {
    session.out << AnswerJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << hex << "\n";
  } else {
    const std::string kept = RenderKept(answer.manifest(), session.style());
    session.out << "manifest " << hex
                << (answer.manifest().pinned() ? " is pinned\n" : " is not pinned\n") << kept;
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ListQuarantined(Session& session, CacheClient& cache) {
  FPO_ASSIGN_OR_RETURN(const pb::ListQuarantinedResponse list, cache.ListQuarantined());
  if (session.settings().json) {
    session.out << AnswerJson(list) << "\n";
  } else if (session.settings().quiet) {
    for (const pb::QuarantinedRecord& record : list.records()) {
      session.out << absl::BytesToHexString(record.key()) << "\n";
    }
  } else {
    session.out << RenderQuarantined(list, session.style());
  }
  return ExitCode::kOk;
}

}  // namespace

absl::StatusOr<ExitCode> RunCachePin(Session& session) {
  FPO_ASSIGN_OR_RETURN(CacheClient cache, ConnectCache(session));
  pb::PinRequest request;
  FPO_ASSIGN_OR_RETURN(*request.mutable_manifest_id(),
                       FindManifest(cache, session.invocation.Get("MANIFEST")));
  if (const auto duration = session.invocation.GetDuration("for")) {
    request.mutable_until()->set_seconds(absl::ToUnixSeconds(absl::Now() + *duration));
  }
  FPO_RETURN_IF_ERROR(cache.Pin(request));
  return ShowManifest(session, cache, request.manifest_id());
}

absl::StatusOr<ExitCode> RunCacheUnpin(Session& session) {
  FPO_ASSIGN_OR_RETURN(CacheClient cache, ConnectCache(session));
  FPO_ASSIGN_OR_RETURN(const std::string manifest_id,
                       FindManifest(cache, session.invocation.Get("MANIFEST")));
  FPO_RETURN_IF_ERROR(cache.Unpin(manifest_id));
  return ShowManifest(session, cache, manifest_id);
}

absl::StatusOr<ExitCode> RunCacheVerify(Session& session) {
  FPO_ASSIGN_OR_RETURN(CacheClient cache, ConnectCache(session));
  std::string manifest_id;
  if (session.invocation.Has("MANIFEST")) {
    FPO_ASSIGN_OR_RETURN(manifest_id, FindManifest(cache, session.invocation.Get("MANIFEST")));
  }
  pb::VerifyResponse last;
  FPO_RETURN_IF_ERROR(cache.Verify(manifest_id, [&](const pb::VerifyResponse& report) {
    last = report;
    if (session.settings().json) session.out << AnswerJson(report) << "\n";
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
  FPO_ASSIGN_OR_RETURN(CacheClient cache, ConnectCache(session));
  if (!session.invocation.Has("MANIFEST")) return ListQuarantined(session, cache);
  pb::QuarantineRequest request;
  for (const std::string& key : session.invocation.GetAll("KEY")) {
    FPO_ASSIGN_OR_RETURN(const Digest digest, DigestFromHex(key));
    request.mutable_keys()->append(ToBytes(digest));
  }
  FPO_ASSIGN_OR_RETURN(*request.mutable_manifest_id(),
                       FindManifest(cache, session.invocation.Get("MANIFEST")));
  request.set_reason(session.invocation.Get("reason"));
  FPO_ASSIGN_OR_RETURN(const pb::QuarantineResponse answer, cache.Quarantine(request));
  if (session.settings().json) {
    session.out << AnswerJson(answer) << "\n";
  } else if (!session.settings().quiet) {
    session.out << HumanCount(answer.records())
                << " records are out of use; the next job that needs them computes them again\n";
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunCacheGc(Session& session) {
  FPO_ASSIGN_OR_RETURN(CacheClient cache, ConnectCache(session));
  FPO_ASSIGN_OR_RETURN(const pb::GcResponse report, cache.Gc(session.invocation.Has("dry-run")));
  if (session.settings().json) {
    session.out << AnswerJson(report) << "\n";
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
  FPO_ASSIGN_OR_RETURN(CacheClient cache, ConnectCache(session));
  FPO_ASSIGN_OR_RETURN(const pb::BackupResponse answer, cache.Backup());
  if (session.settings().json) {
    session.out << AnswerJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << answer.path() << "\n";
  } else {
    session.out << "copied " << HumanCount(answer.records()) << " records, "
                << HumanBytes(static_cast<double>(answer.bytes())) << ", to " << answer.path()
                << " on the cache's machine, and verified the copy\n";
  }
  return ExitCode::kOk;
}

}  // namespace fpo::ctl
