#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "train/checkpoint/checkpoint_shard.h"
#include "train/collective/process_group.h"
#include "train/events/event_sink.h"
#include "train/runs/background_checkpoints.h"
#include "train/saving/side_write.h"

namespace fpo::train {

// What a rank has begun and no rank has published.
struct BegunCheckpoint {
  WrittenShards written;
  std::string building;
  absl::Time start;
  absl::StatusOr<std::vector<CheckpointFile>> files = std::vector<CheckpointFile>();
};

// The checkpoints of a run of any number of ranks. Of several, each writes its part, beside
// training where its memory has room for a copy of it, and the first publishes once all have told
// that theirs are durable. Every call is collective. Not thread-safe.
//
// Decisions 5 and 33: nothing counts before the publication, so a rank that is lost on the way
// loses only that checkpoint.
class RankCheckpoints {
 public:
  // `out`: the run's folder. Keeps references to the events and the group.
  RankCheckpoints(std::string out, const BackgroundCheckpoints::Options& options, EventSink& events,
                  ProcessGroup& group);

  // Before the first write: finds out whether all ranks see one output folder, whose lock the first
  // one holds. Where they do not, the first rank writes whole checkpoints, and a sentence says so.
  absl::StatusOr<std::string> FindFolder();

  // As BackgroundCheckpoints::Write, of what every rank has whole; where they do not see one folder
  // the first rank's alone is read.
  absl::Status Write(const CheckpointContent& content, std::optional<double> score, bool last);
  // The same of what each rank has a part of; every rank's `shard` is of one step, and state and
  // score are those of the first. FailedPrecondition where the ranks do not see one folder.
  absl::Status WriteShards(CheckpointShard shard, const std::string& state_json,
                           std::optional<double> score, bool last);
  // At a step boundary: publishes the write in progress if all ranks are done, without waiting.
  absl::Status Poll();
  // Waits for all ranks' writes in progress and publishes.
  absl::Status Finish();
  // For a run that ends with an error, where the other ranks may make no more calls.
  void Abandon();

  // After FindFolder: whether each rank writes its part. Else only the first one writes, and must
  // have everything.
  bool in_parts() const { return shared_; }
  bool writing() const { return alone_.writing() || pending_.has_value(); }
  bool copies() const { return alone_.writing() || side_.running(); }  // it is written beside
  double seconds() const { return alone_.seconds() + seconds_; }       // as BackgroundCheckpoints

 private:
  absl::StatusOr<std::string> Begin(int64_t step);
  std::optional<CheckpointShard> CopyOf(const CheckpointShard& shard) const;
  void CollectWrite();  // of the write beside, if there is one
  absl::Status Publish();
  absl::Status PublishAll(const std::vector<std::string>& texts);
  bool Leads() const { return group_.rank() == 0; }
  std::string What() const;

  const std::string out_;
  const BackgroundCheckpoints::Options options_;
  EventSink& events_;
  ProcessGroup& group_;
  BackgroundCheckpoints alone_;
  CheckpointWriter writer_;  // the first rank's
  bool shared_ = false;
  int64_t on_this_host_ = 1;  // ranks, which share its memory
  double seconds_ = 0;
  std::optional<BegunCheckpoint> pending_;
  SideWrite side_;  // writes into pending_: destroyed before it
};

}  // namespace fpo::train
