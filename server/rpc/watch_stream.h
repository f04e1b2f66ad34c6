#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "proto/fpo/v1/coordinator.pb.h"
#include "server/core/coordinator.h"
#include "server/rpc/stream_loop.h"

namespace fpo::coordinator {

// One WatchJob call. Life: the constructor wakes the loop; the first step subscribes; each later
// step sends the newest snapshot if the last write is done (a slow reader misses the ones between);
// after a terminal one it finishes; OnDone wakes the last step, which unsubscribes and deletes.
class WatchStream final : public grpc::ServerWriteReactor<fpo::v1::WatchJobResponse>,
                          public OpenStream {
 public:
  struct Parts {  // outlive the stream
    Coordinator* coordinator;
    WorkPool* pool;
    OpenStreams* streams;
  };
  WatchStream(const Parts& parts, std::string words);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void End(const absl::Status& why) override;

 private:
  ~WatchStream() override = default;
  bool Step();
  void Subscribe();
  void FinishOnce(const absl::Status& status);

  const Parts parts_;
  const std::string words_;
  StreamLoop loop_;

  // Of the loop alone.
  std::string job_id_;
  std::optional<WatchId> watch_;
  bool writing_ = false;
  bool finished_ = false;
  bool sent_last_ = false;
  fpo::v1::WatchJobResponse message_;

  absl::Mutex mu_;
  JobPtr newest_ ABSL_GUARDED_BY(mu_);  // not sent yet
  bool write_done_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);
};

}  // namespace fpo::coordinator
