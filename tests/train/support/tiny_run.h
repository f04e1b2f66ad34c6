#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/job/job_config.h"
#include "train/data/token_file.h"
#include "train/events/event_sink.h"
#include "train/runs/run_training.h"

namespace fpo::train {

// Events in memory.
class RecordingSink final : public EventSink {
 public:
  void Emit(TrainEvent event) override { events.push_back(std::move(event)); }
  std::vector<TrainEvent> Of(EventKind kind) const;
  std::vector<TrainEvent> events;
};

// A folder with everything a run reads: a random Gemma of a few thousand parameters, a random SAE
// on its layer 1, and a prepared folder of random pairs. Deleted with the object.
class TinyRun {
 public:
  struct Options {
    int64_t pairs = 12;
    int64_t eval_pairs = 5;
    bool rejected = true;
    bool labelled = false;  // examples of kto, every third one undesirable
    int64_t sae_width = 24;
  };
  TinyRun();
  explicit TinyRun(Options options);
  ~TinyRun();

  std::string Path(const std::string& name) const { return root_ + "/" + name; }
  JobConfig Job(const std::string& method) const;
  RunOptions Run(const std::string& out) const;  // with this prepared folder

  // Another model with the same shapes, in Path(name).
  void WriteModel(const std::string& name, uint64_t seed) const;

 private:
  void WriteSae(int64_t width) const;
  void WriteTokens(const std::string& file, int64_t pairs, const Options& options,
                   uint64_t seed) const;
  std::string root_;
};

// RunTraining in one process; its events are added to `events` when given.
absl::Status TrainOnce(const JobConfig& job, const RunOptions& options,
                       RecordingSink* events = nullptr);

// metrics.jsonl: the training lines, or with `evaluations` the evaluation lines.
using MetricLine = std::map<std::string, double>;
std::vector<MetricLine> ReadMetrics(const std::string& out, bool evaluations = false);

// Bytes of a file; fails the test when it is not there.
std::string Slurp(const std::string& path);

// A pair's ids as views into static storage.
std::vector<TokenPairView> Views(const std::vector<TokenPair>& pairs);
std::vector<TokenPair> RandomPairs(int64_t count, uint64_t seed);

}  // namespace fpo::train
