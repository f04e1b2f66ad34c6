#pragma once

#include <ostream>
#include <string>

#include "absl/strings/string_view.h"

namespace fpo {

// What an error is about, for programs, which compare this and never a text. Numbers and names are
// those of fpo.v1.ErrorReason, which documents each; a test compares the two.
enum class ErrorReason {
  kUnspecified = 0,
  // Any call.
  kUnauthenticated = 1,
  kRole = 2,
  kNotYours = 3,
  kNoDeadline = 4,
  kBusy = 5,
  kStoreFull = 6,
  kNotLeader = 7,
  // Jobs.
  kInvalidJob = 11,
  kNoRequestId = 12,
  kRequestIdReused = 13,
  kJobNotFound = 14,
  kAmbiguousJob = 15,
  kJobRemoved = 16,
  kJobTerminal = 17,
  kIllegalTransition = 18,
  kStaleEpoch = 19,
  kInvalidRetry = 20,
  kDependencyFailed = 21,
  kQuota = 22,
  kBadPriority = 23,
  kBadGrace = 24,
  kBadState = 25,
  kNoCheckpoint = 26,
  kOutputInUse = 27,
  // Workers.
  kBadHello = 31,
  kBadMode = 32,
  kWorkerNotFound = 33,
  kWorkerReplaced = 34,
  kWorkerNameTaken = 35,
  kWorkerNameBusy = 36,
  kWorkerConnected = 37,
  kWorkerLeased = 38,
  kWrongStore = 39,
  // Files of jobs.
  kNoResult = 41,
  kNoHolder = 42,
  kHolderGone = 43,
  kSilent = 44,
  kUnknownTransfer = 45,
  kArtifactGone = 46,
  kExporting = 47,
  // The reference cache.
  kInvalidRequest = 51,
  kManifestNotFound = 52,
  kManifestIncomplete = 53,
  kKeyNotInManifest = 54,
  kNotShared = 55,
  kUnknownClaim = 56,
  kStaleClaim = 57,
  kTooManyClaims = 58,
  kCacheFull = 59,
  kRecordDamaged = 60,
  kAnswerTooLarge = 61,
  kUpstreamUnavailable = 62,
  kNoBackupFolder = 63,
  // Files of this machine.
  kNoFile = 71,
  kIsFolder = 72,
  kFileDenied = 73,
  kDiskFull = 74,
  // Errors of a command line, found without a call.
  kUsage = 81,
  kInterrupted = 82,
  kTimeout = 83,
  kDeadline = 84,
  kUnreachable = 85,
  kUnimplemented = 86,
  kNotServing = 87,
  kOutputLost = 88,
  kTokenFile = 89,
  kBadConfig = 90,
  kNoContext = 91,
  kNoHome = 92,
  kInit = 93,
  kFileUnreadable = 94,
  kFileExists = 95,
  kFileBusy = 96,
  kNoFiles = 97,
  kCorrupt = 98,
  kNoMetrics = 99,
  kNoJobs = 100,
  kNothingToBuild = 101,
  kAccessList = 102,
  kHasToken = 103,
  kNoPrincipal = 104,
};

// "JOB_NOT_FOUND"; empty for kUnspecified. This is how a reason is written in JSON and on the wire.
absl::string_view ErrorReasonName(ErrorReason reason);
// kUnspecified for unknown names, e.g. those of a newer server.
ErrorReason ErrorReasonFromName(absl::string_view name);

std::ostream& operator<<(std::ostream& out, ErrorReason reason);

}  // namespace fpo
