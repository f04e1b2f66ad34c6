#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "common/job/job_config.h"
#include "common/values/attempt_ref.h"
#include "worker/core/job_places.h"
#include "worker/core/objects/input_store.h"
#include "worker/core/objects/job_inputs.h"
#include "worker/core/objects/output_mirror.h"
#include "worker/core/objects/output_pusher.h"
#include "worker/core/process/rank_output.h"

namespace fpo::worker {

// What one attempt has outside of this host: inputs that are URLs, and an output that is one. Used
// by the attempt's thread.
class AttemptFiles {
 public:
  struct Options {
    JobPlaces places;
    std::string hub_cache;
    AttemptRef attempt;
    bool leads = true;               // it has rank 0, which writes the output
    int64_t discard_after_step = 0;  // checkpoints of later steps are not wanted; 0: all are
    std::string job_folder;          // of all attempts of the job on this host
  };

  // `objects` and `inputs` are null when this worker has no object store. `output` outlives this.
  AttemptFiles(Options options, ObjectStore* objects, InputStore* inputs, RankOutput* output)
      : options_(std::move(options)),
        objects_(objects),
        output_(output),
        inputs_({options_.places, options_.hub_cache}, inputs) {}

  // Puts paths of this host in the place of all URLs: inputs are fetched, and the output folder is
  // made what the store has of it. Errors are those of JobInputs::Fetch.
  absl::Status Fetch(JobConfig* config, std::stop_token stop);

  // The run that the output held was replaced.
  absl::Status OnReplaced() { return mirror_ ? mirror_->RemoveAll() : absl::OkStatus(); }

  // The attempt is going to compute something. InvalidArgument: URLs contain something else than
  // what the job's earlier attempts, or the run that it continues, have read; FailedPrecondition:
  // the output is a later attempt's.
  absl::Status Begin(const JobConfig& config);

  // What sends the output while ranks write it; null when it stays here, another host sends it, or
  // nothing was begun: a finished output stays as it is.
  std::unique_ptr<OutputPusher> StartPushing();

 private:
  absl::Status PullOutput(JobConfig* config, std::stop_token stop);

  const Options options_;
  ObjectStore* const objects_;
  RankOutput* const output_;
  JobInputs inputs_;
  std::unique_ptr<OutputMirror> mirror_;  // null: the output is on this host
  bool begun_ = false;
};

}  // namespace fpo::worker
