#pragma once

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/streams/answer_stream.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/rpc/streams/stream_call.h"
#include "proto/fpo/v1/coordinator.pb.h"

namespace fpo::coordinator {

// One WatchJob call: sends the newest snapshot of the job whenever the last write is done (a slow
// reader misses those in between), and finishes after a terminal one.
class WatchStream final : public AnswerStream<fpo::v1::WatchJobResponse> {
 public:
  struct Dependencies {  // outlive the stream
    Coordinator* coordinator;
    WorkPool* pool;
    OpenStreams* streams;
    std::string caller = {};  // whose jobs come first, see JobTable::Find
  };
  WatchStream(const Dependencies& dependencies, const StreamCall& call, std::string job_ref);

 private:
  ~WatchStream() override = default;
  absl::Status Open() override;
  void Next() override;
  void Leave() override;

  Coordinator* const coordinator_;
  const std::string caller_;
  const std::string job_ref_;

  // Used only by the loop.
  std::string job_id_;
  std::string config_json_;  // of the job; never changes
  std::optional<WatchId> watch_;
  bool sent_last_ = false;

  absl::Mutex mu_;
  JobPtr newest_ ABSL_GUARDED_BY(mu_);  // not sent yet
};

}  // namespace fpo::coordinator
