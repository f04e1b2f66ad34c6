#pragma once

#include <optional>
#include <string>

#include "common/rpc/streams/answer_stream.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/rpc/streams/stream_call.h"
#include "proto/fpo/v1/coordinator.pb.h"

namespace fpo::coordinator {

// One Logs call: reads a page from the store, writes it, reads the next, each in a step of its own,
// so that a filter which fits few of many lines holds up neither others nor its own cancellation.
// At the end of the stored lines it finishes, or with `follow` waits for more until the job has
// been terminal for a moment (the last lines arrive after the report that ended it).
class LogStream final : public AnswerStream<fpo::v1::LogsResponse> {
 public:
  struct Dependencies {  // outlive the stream
    Coordinator* coordinator;
    WorkPool* pool;
    OpenStreams* streams;
    const Clock* wall;
    std::string caller = {};  // whose jobs come first, see JobTable::Find
  };
  LogStream(const Dependencies& dependencies, const StreamCall& call,
            const fpo::v1::LogsRequest& request);

 private:
  ~LogStream() override = default;
  absl::Status Open() override;
  void Next() override;
  void Leave() override;
  bool IsComplete();
  bool FindsTail();

  const Dependencies dependencies_;
  const fpo::v1::LogsRequest request_;

  // Used only by the loop.
  std::string job_id_;
  LogQuery query_;
  LogTail tail_;
  std::optional<absl::Time> end_seen_;  // of the job, as BootNow
  std::optional<WatchId> watch_;
};

}  // namespace fpo::coordinator
