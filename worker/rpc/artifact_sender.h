#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/work_pool.h"
#include "proto/fpo/v1/worker.grpc.pb.h"
#include "worker/core/artifact.h"

namespace fpo::worker {

// The model folder made of a checkpoint's folder.
using FolderOfExport = std::function<absl::StatusOr<std::string>(const std::string& checkpoint)>;

// Whether files may leave this host for the job of the order; puts the folder in the place of the
// URL of an output.
using MayServeOrder = std::function<absl::Status(ServeArtifactCommand*)>;

// Answers the coordinator's orders to serve files, each with a PushArtifact call on a separate
// connection, so that a download never delays a heartbeat. Thread-safe.
class ArtifactSender {
 public:
  struct Options {
    FolderOfExport export_checkpoint;  // as ExportedCheckpoints::FolderOf
    MayServeOrder may_serve;
    std::atomic<int>* open = nullptr;  // counts orders that have not ended; not owned, may be null
  };
  ArtifactSender(const std::shared_ptr<grpc::Channel>& bulk_channel, Options options);
  ~ArtifactSender();  // cancels running calls

  // Does not block. An order beyond the queue is dropped: the coordinator gives up on it.
  void Serve(const ServeArtifactCommand& order);

 private:
  void Push(const ServeArtifactCommand& order);
  absl::Status ServeTo(ServeArtifactCommand order, const std::function<bool(ArtifactFrame)>& sink);

  void Count(int by);

  const Options options_;
  const std::unique_ptr<fpo::v1::WorkerControl::Stub> stub_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<grpc::ClientContext*> running_ ABSL_GUARDED_BY(mutex_);
  WorkPool pool_;  // last: its threads use the rest
};

}  // namespace fpo::worker
