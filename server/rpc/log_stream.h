#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/fpo/v1/coordinator.pb.h"
#include "server/core/coordinator.h"
#include "server/rpc/stream_loop.h"

namespace fpo::coordinator {

// One Logs call: reads a page from the store, writes it, reads the next. At the end of what is
// stored it finishes, or with `follow` waits for more until the job has been terminal for a moment
// (the last lines travel behind the report that ended it). Same life as a WatchStream.
class LogStream final : public grpc::ServerWriteReactor<fpo::v1::LogsResponse>, public OpenStream {
 public:
  struct Parts {  // outlive the stream
    Coordinator* coordinator;
    WorkPool* pool;
    OpenStreams* streams;
    const Clock* wall;
  };
  LogStream(const Parts& parts, const fpo::v1::LogsRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void End(const absl::Status& why) override;

 private:
  ~LogStream() override = default;
  bool Step();
  absl::Status Open();
  void WriteNext();
  bool IsComplete() const;
  void FinishOnce(const absl::Status& status);

  const Parts parts_;
  const fpo::v1::LogsRequest request_;
  StreamLoop loop_;

  // Of the loop alone.
  std::string job_id_;
  LogQuery query_;
  std::optional<WatchId> watch_;
  bool writing_ = false;
  bool finished_ = false;
  fpo::v1::LogsResponse message_;

  absl::Mutex mu_;
  bool write_done_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);
};

}  // namespace fpo::coordinator
