#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "worker/core/phase_end.h"
#include "worker/core/process/process_set.h"
#include "worker/core/process/rank_output.h"
#include "worker/core/reference/response_scorer.h"

namespace fpo::worker {

// `fpo-train score --serve` as a scorer. One caller; events arrive on the process's thread.
class ScoreProcess final : public ResponseScorer, public RankSink {
 public:
  struct Options {
    RankCommand command;
    // A scorer silent for this long, while it loads or computes, is considered hung and is killed
    // (class infrastructure); zero: never.
    absl::Duration stall_timeout = absl::ZeroDuration();
  };
  ScoreProcess(ProcessSet* processes, RankOutput* output, Options options, std::stop_token stop)
      : processes_(processes),
        output_(output),
        options_(std::move(options)),
        stop_(std::move(stop)) {}
  ~ScoreProcess() override { Finish(); }

  absl::Status Start() override;
  absl::StatusOr<double> Score(const std::vector<int64_t>& ordinals, const std::string& file,
                               const std::function<void(int64_t done)>& on_tick) override;
  void Finish() override;

  // How the process ended when that was the failure.
  const std::optional<PhaseEnd>& failure() const { return failure_; }
  bool survived_kill() const { return survived_kill_; }

  void OnLine(int32_t rank, LineStream stream, const std::string& text) override;
  void OnEvent(int32_t rank, const TrainEvent& event, const std::string& json) override;

 private:
  // Waits until `*flag` becomes true, calling `on_tick`; the error says how the process ended.
  absl::Status Await(const bool* flag, const std::function<void(int64_t)>& on_tick);
  absl::Status Ended();
  bool IsHung();
  void Hear();
  void OnProgress(int32_t rank, const TrainEvent& event, const std::string& json);

  ProcessSet* const processes_;
  RankOutput* const output_;
  const Options options_;
  const std::stop_token stop_;
  RankProcess* process_ = nullptr;
  std::optional<PhaseEnd> failure_;
  bool survived_kill_ = false;
  bool hung_ = false;

  absl::Mutex mutex_;
  absl::Time heard_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  bool loaded_ ABSL_GUARDED_BY(mutex_) = false;
  bool answered_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time noted_ ABSL_GUARDED_BY(mutex_);  // last line about progress, or begin of a command
  int64_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t answered_count_ ABSL_GUARDED_BY(mutex_) = 0;
  double answered_flops_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string answered_file_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::worker
