#pragma once

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/observe/log.h"
#include "common/store/key_values.h"
#include "coordinator/core/store/job_codec.h"
#include "coordinator/core/store/line_codec.h"

// Where a KeyedJobStore keeps what; for its own .cc files only.
namespace fpo::coordinator {

// Positions in JobFamilies.
enum Family { kMeta, kJobs, kSpecs, kRequests, kPositions, kEvents, kLogs };

inline constexpr char kStockPrefix[] = "logs/";
inline constexpr char kProvisionPrefix[] = "provision/";
inline constexpr char kAuditJob[] = "audit";  // audit/CURSOR
inline constexpr char kRevisionKey[] = "revision";

inline std::string LinePrefix(const std::string& job_id) { return absl::StrCat(job_id, "/"); }

inline std::string StockKey(const std::string& job_id) {
  return absl::StrCat(kStockPrefix, job_id);
}

inline std::string PositionKey(const Sender& sender) {
  return absl::StrCat(sender.ref.job_id, "/", sender.ref.attempt, "/", sender.ref.epoch, "/",
                      sender.worker);
}

inline void PutJobInto(const Job& job, WriteSet* writes) {
  writes->Put(kJobs, job.job_id, EncodeJob(job));
  writes->Put(kMeta, kRevisionKey, absl::StrCat(job.revision));
}

// A record that cannot be decoded costs that record only.
inline void SayDamaged(const KeyValues& values, absl::string_view key, const absl::Status& why) {
  Log(LogLevel::kError, "a record cannot be read from the store and is left out",
      {{"key", absl::CHexEscape(key)},
       {"store", values.Name()},
       {"why", std::string(why.message())}});
}

}  // namespace fpo::coordinator
