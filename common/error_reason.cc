#include "common/error_reason.h"

namespace fpo {
namespace {

struct NamedReason {
  ErrorReason reason;
  absl::string_view name;
};

constexpr NamedReason kNames[] = {
    {ErrorReason::kUnauthenticated, "UNAUTHENTICATED"},
    {ErrorReason::kRole, "ROLE"},
    {ErrorReason::kNotYours, "NOT_YOURS"},
    {ErrorReason::kNoDeadline, "NO_DEADLINE"},
    {ErrorReason::kBusy, "BUSY"},
    {ErrorReason::kStoreFull, "STORE_FULL"},
    {ErrorReason::kNotLeader, "NOT_LEADER"},
    {ErrorReason::kInvalidJob, "INVALID_JOB"},
    {ErrorReason::kNoRequestId, "NO_REQUEST_ID"},
    {ErrorReason::kRequestIdReused, "REQUEST_ID_REUSED"},
    {ErrorReason::kJobNotFound, "JOB_NOT_FOUND"},
    {ErrorReason::kAmbiguousJob, "AMBIGUOUS_JOB"},
    {ErrorReason::kJobRemoved, "JOB_REMOVED"},
    {ErrorReason::kJobTerminal, "JOB_TERMINAL"},
    {ErrorReason::kIllegalTransition, "ILLEGAL_TRANSITION"},
    {ErrorReason::kStaleEpoch, "STALE_EPOCH"},
    {ErrorReason::kInvalidRetry, "INVALID_RETRY"},
    {ErrorReason::kDependencyFailed, "DEPENDENCY_FAILED"},
    {ErrorReason::kQuota, "QUOTA"},
    {ErrorReason::kBadPriority, "BAD_PRIORITY"},
    {ErrorReason::kBadGrace, "BAD_GRACE"},
    {ErrorReason::kBadState, "BAD_STATE"},
    {ErrorReason::kNoCheckpoint, "NO_CHECKPOINT"},
    {ErrorReason::kOutputInUse, "OUTPUT_IN_USE"},
    {ErrorReason::kBadHello, "BAD_HELLO"},
    {ErrorReason::kBadMode, "BAD_MODE"},
    {ErrorReason::kWorkerNotFound, "WORKER_NOT_FOUND"},
    {ErrorReason::kWorkerReplaced, "WORKER_REPLACED"},
    {ErrorReason::kWorkerNameTaken, "WORKER_NAME_TAKEN"},
    {ErrorReason::kWorkerNameBusy, "WORKER_NAME_BUSY"},
    {ErrorReason::kWorkerConnected, "WORKER_CONNECTED"},
    {ErrorReason::kWorkerLeased, "WORKER_LEASED"},
    {ErrorReason::kWrongStore, "WRONG_STORE"},
    {ErrorReason::kNoResult, "NO_RESULT"},
    {ErrorReason::kNoHolder, "NO_HOLDER"},
    {ErrorReason::kHolderGone, "HOLDER_GONE"},
    {ErrorReason::kSilent, "SILENT"},
    {ErrorReason::kUnknownTransfer, "UNKNOWN_TRANSFER"},
    {ErrorReason::kArtifactGone, "ARTIFACT_GONE"},
    {ErrorReason::kExporting, "EXPORTING"},
    {ErrorReason::kInvalidRequest, "INVALID_REQUEST"},
    {ErrorReason::kManifestNotFound, "MANIFEST_NOT_FOUND"},
    {ErrorReason::kManifestIncomplete, "MANIFEST_INCOMPLETE"},
    {ErrorReason::kKeyNotInManifest, "KEY_NOT_IN_MANIFEST"},
    {ErrorReason::kNotShared, "NOT_SHARED"},
    {ErrorReason::kUnknownClaim, "UNKNOWN_CLAIM"},
    {ErrorReason::kStaleClaim, "STALE_CLAIM"},
    {ErrorReason::kTooManyClaims, "TOO_MANY_CLAIMS"},
    {ErrorReason::kCacheFull, "CACHE_FULL"},
    {ErrorReason::kRecordDamaged, "RECORD_DAMAGED"},
    {ErrorReason::kAnswerTooLarge, "ANSWER_TOO_LARGE"},
    {ErrorReason::kUpstreamUnavailable, "UPSTREAM_UNAVAILABLE"},
    {ErrorReason::kNoBackupFolder, "NO_BACKUP_FOLDER"},
    {ErrorReason::kNoFile, "NO_FILE"},
    {ErrorReason::kIsFolder, "IS_FOLDER"},
    {ErrorReason::kFileDenied, "FILE_DENIED"},
    {ErrorReason::kDiskFull, "DISK_FULL"},
    {ErrorReason::kUsage, "USAGE"},
    {ErrorReason::kInterrupted, "INTERRUPTED"},
    {ErrorReason::kTimeout, "TIMEOUT"},
    {ErrorReason::kDeadline, "DEADLINE"},
    {ErrorReason::kUnreachable, "UNREACHABLE"},
    {ErrorReason::kUnimplemented, "UNIMPLEMENTED"},
    {ErrorReason::kNotServing, "NOT_SERVING"},
    {ErrorReason::kOutputLost, "OUTPUT_LOST"},
    {ErrorReason::kTokenFile, "TOKEN_FILE"},
    {ErrorReason::kBadConfig, "BAD_CONFIG"},
    {ErrorReason::kNoContext, "NO_CONTEXT"},
    {ErrorReason::kNoHome, "NO_HOME"},
    {ErrorReason::kInit, "INIT"},
    {ErrorReason::kFileUnreadable, "FILE_UNREADABLE"},
    {ErrorReason::kFileExists, "FILE_EXISTS"},
    {ErrorReason::kFileBusy, "FILE_BUSY"},
    {ErrorReason::kNoFiles, "NO_FILES"},
    {ErrorReason::kCorrupt, "CORRUPT"},
    {ErrorReason::kNoMetrics, "NO_METRICS"},
    {ErrorReason::kNoJobs, "NO_JOBS"},
    {ErrorReason::kNothingToBuild, "NOTHING_TO_BUILD"},
    {ErrorReason::kAccessList, "ACCESS_LIST"},
    {ErrorReason::kHasToken, "HAS_TOKEN"},
    {ErrorReason::kNoPrincipal, "NO_PRINCIPAL"},
};

}  // namespace

absl::string_view ErrorReasonName(ErrorReason reason) {
  for (const NamedReason& entry : kNames) {
    if (entry.reason == reason) return entry.name;
  }
  return "";
}

ErrorReason ErrorReasonFromName(absl::string_view name) {
  for (const NamedReason& entry : kNames) {
    if (entry.name == name) return entry.reason;
  }
  return ErrorReason::kUnspecified;
}

std::ostream& operator<<(std::ostream& out, ErrorReason reason) {
  if (reason == ErrorReason::kUnspecified) return out << "no reason";
  return out << ErrorReasonName(reason);
}

}  // namespace fpo
