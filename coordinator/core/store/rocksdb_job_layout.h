#pragma once

#include <string>

#include "absl/strings/str_cat.h"

// Families and keys of the jobs' RocksDB folder, for the sources of RocksdbJobStore only.
namespace fpo::coordinator {

// Positions in DatabaseOptions::families.
enum Family { kMeta, kJobs, kSpecs, kRequests, kPositions, kEvents, kLogs };

inline constexpr char kStockPrefix[] = "logs/";

// Of a job's lines, events and positions.
inline std::string LinePrefix(const std::string& job_id) { return absl::StrCat(job_id, "/"); }

// Of a job's LogStock, in kMeta.
inline std::string StockKey(const std::string& job_id) {
  return absl::StrCat(kStockPrefix, job_id);
}

}  // namespace fpo::coordinator
