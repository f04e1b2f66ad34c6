#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace fpo::ctl {

// A job as plain values, as people look at it. Missing values are nullopt or empty.

struct CacheView {
  int64_t total = 0;  // records the job needs
  int64_t hit = 0;    // were there when the job asked
  int64_t computed = 0;
  double reference_seconds = 0;
  std::string manifest_id;   // hex
  double saved_seconds = 0;  // that the hits took those who computed them; 0: not measured
  double saved_flops = 0;
};

struct AttemptView {
  int number = 0;
  uint64_t epoch = 0;
  std::vector<std::string> workers;
  std::optional<absl::Time> started;
  std::optional<absl::Time> ended;
  std::string end_class;  // empty while it runs
  std::string end_message;
};

struct ProgressView {
  std::string phase;
  int64_t done = 0;
  int64_t total = 0;
  std::string unit;
  std::string activity;  // what is being done just now, in words
  int64_t step = 0;
  int64_t total_steps = 0;
  std::map<std::string, double> metrics;  // names of metrics.jsonl
  std::optional<absl::Time> updated;
};

struct JobView {
  std::string job_id;
  std::string name;
  std::string kind;    // train, sae, ...
  std::string method;  // fpo, dpo, ...; empty for kinds without one
  std::string model;
  std::string output;
  bool has_reference = false;  // the reference phase is part of the job
  std::string owner;
  std::string state;  // "RUNNING"
  std::string reason;
  std::vector<AttemptView> attempts;
  int restarts_used = 0;
  int64_t checkpoint_step = 0;
  int64_t priority = 0;
  std::vector<std::string> after_ok;
  std::vector<std::string> after_end;
  std::map<std::string, std::string> labels;
  std::vector<std::string> bad_checkpoints;  // a sentence each
  std::string retry_of;
  std::vector<std::string> excluded_workers;
  ProgressView progress;
  std::optional<CacheView> cache;
  std::optional<absl::Time> submitted;
  std::optional<absl::Time> started;
  std::optional<absl::Time> ended;
  std::map<std::string, double> result;

  bool IsTerminal() const {
    return state == "SUCCEEDED" || state == "FAILED" || state == "CANCELLED";
  }
  // From the newest attempt; 0 before the first.
  int attempt() const { return attempts.empty() ? 0 : attempts.back().number; }
};

// One line of the queue.
struct QueueRow {
  JobView job;
  int position = 0;  // from 1; 0: it holds slots
  int slots = 0;
  std::optional<absl::Time> start;
  std::optional<absl::Time> end;
};

struct WorkerView {
  std::string worker_id;
  std::string host;
  std::string state;
  int slots = 0;
  int slots_used = 0;
  std::string device;
  std::string version;
  std::optional<absl::Time> last_beat;
  std::vector<std::string> jobs;
  std::string note;                 // why it is closed
  std::vector<std::string> labels;  // "name=value"
};

struct ManifestView {
  std::string manifest_id;  // hex
  std::string recipe_id;    // hex
  std::string recipe;
  std::string name;
  std::string owner;
  int64_t total = 0;
  int64_t present = 0;
  int64_t bytes = 0;
  std::optional<absl::Time> created;
  std::optional<absl::Time> used;
};

struct CacheStatsView {
  std::string version;
  int64_t recipes = 0, manifests = 0, records = 0;
  int64_t bytes = 0, disk_bytes = 0;
  int64_t claims = 0;
  int64_t hits = 0, misses = 0, stored = 0, conflicts = 0;
};

}  // namespace fpo::ctl
