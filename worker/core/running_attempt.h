#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/job/job_config.h"
#include "common/values/phase.h"
#include "worker/core/coordinator_link.h"
#include "worker/core/device/device_gate.h"
#include "worker/core/host/host_check.h"
#include "worker/core/job_places.h"
#include "worker/core/objects/attempt_files.h"
#include "worker/core/phase_end.h"
#include "worker/core/phase_plan.h"
#include "worker/core/process/process_set.h"
#include "worker/core/process/rank_output.h"
#include "worker/core/reference/reference_phase.h"

namespace fpo::worker {

// Services shared by the attempts of one agent. All outlive the attempts.
struct AttemptServices {
  Spawner* spawner = nullptr;
  ProcessJournal* journal = nullptr;
  CacheLink* cache = nullptr;
  RecordStore* records = nullptr;
  Outbox* outbox = nullptr;
  AgentMetrics* metrics = nullptr;
  DeviceGate* gate = nullptr;      // null: GPUs are not checked
  CgroupTree* cgroups = nullptr;   // null: ranks have no cgroups
  ObjectStore* objects = nullptr;  // null: jobs may have no s3:// URLs
  InputStore* inputs = nullptr;    // of `objects`
};

struct AttemptOptions {
  std::string work_dir;
  std::string worker_id;
  TrainerProgram trainer;
  JobPlaces places;
  std::string hub_cache;                 // where hf:// URLs are looked for
  std::vector<std::string> environment;  // of the agent, "NAME=value"
  std::vector<int32_t> slots;            // the agent's slots that this attempt uses
  std::string shared_memory = "/dev/shm";
  int64_t disk_reserve_bytes = int64_t{512} << 20;
  absl::Duration stall_timeout = absl::Minutes(10);  // of silent ranks; zero: never
  ReferencePhase::Options reference;
};

struct AttemptEnd {
  PhaseEnd end;
  std::optional<CacheUse> cache;
  bool survived_kill = false;  // a process is still alive: the slots must not be reused
  std::string broken_host;     // why this host can run no job; empty: it can
};

// One attempt on this host, on its own thread: preflight, prepare, reference, main process(es),
// finish. Thread-safe.
class RunningAttempt final : public ReferenceObserver {
 public:
  // `devices`: one entry per slot, for CUDA_VISIBLE_DEVICES; empty strings: no restriction.
  RunningAttempt(AttemptOptions options, AttemptServices services, AssignCommand assignment,
                 std::vector<std::string> devices);
  ~RunningAttempt() override;  // kills and joins

  // `on_end` is called once, on the attempt's thread, when none of its processes is left.
  void Start(std::function<void(const AttemptEnd&)> on_end);
  // Asks everything to end, and kills it after `grace`. Does not block.
  void Stop(absl::Duration grace, const std::string& why);

  const AttemptRef& id() const { return assignment_.attempt; }

 private:
  PhaseEnd RunPhases();
  PhaseEnd Preflight();
  PhaseEnd CheckOutput();
  PhaseEnd CheckJob();
  PhaseEnd FetchUrls();
  HostNeeds Needs() const;
  std::string WhatIsBroken() const;
  PhaseEnd Prepare();
  PhaseEnd Reference();
  PhaseEnd Main();
  PhaseEnd RunMain(const std::vector<RankCommand>& commands);
  PhaseEnd RunOne(const std::string& name, const std::vector<std::string>& argv, RankSink* sink);
  RankCommand CommandOf(const std::vector<std::string>& argv, int32_t slot) const;
  PhaseEnd TakeUpCheckpoints();
  void EnterPhase(Phase phase);
  void ReportRunning();

  void OnRecords(int64_t present, int64_t total) override;
  void OnCacheUse(const CacheUse& use) override;
  void Note(const std::string& text) override;
  void OnWaiting(const std::string& what) override;
  void OnComputed(int64_t records) override;
  void OnPulled(int64_t records) override;

  const AttemptOptions options_;
  const AttemptServices services_;
  const AssignCommand assignment_;
  const std::vector<std::string> devices_;
  const AttemptFolders folders_;
  std::stop_source stop_;
  std::stop_source kill_;  // without a grace
  ProcessSet processes_;
  RankOutput output_;

  // Used only by the attempt's thread.
  JobConfig config_;  // with paths of this host
  AttemptFiles files_;
  std::string record_file_;
  // the finished run in the output folder: nothing is left to train; empty: none
  std::string finished_run_;
  std::optional<CacheUse> cache_use_;
  std::string prepared_digest_;
  bool survived_kill_ = false;
  absl::Time last_progress_ = absl::InfinitePast();
  int64_t records_pulled_ = 0;
  absl::Time last_records_note_ = absl::InfinitePast();

  absl::Mutex mutex_;
  std::string stop_reason_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace fpo::worker
