#include "worker/rpc/artifact_sender.h"

#include <utility>

#include "common/observe/log.h"
#include "common/status_macros.h"
#include "worker/rpc/convert.h"

namespace fpo::worker {
namespace {

namespace pb = fpo::v1;

constexpr int kThreads = 4;  // a slow reader holds one
constexpr size_t kQueueMax = 64;

}  // namespace

ArtifactSender::ArtifactSender(const std::shared_ptr<grpc::Channel>& bulk_channel, Options options)
    : options_(std::move(options)),
      stub_(pb::WorkerControl::NewStub(bulk_channel)),
      pool_({.threads = kThreads, .queue_max = kQueueMax}) {}

ArtifactSender::~ArtifactSender() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    for (grpc::ClientContext* context : running_) context->TryCancel();
  }
  pool_.Stop();
}

void ArtifactSender::Serve(const ServeArtifactCommand& order) {
  Count(1);
  const auto push = [this, order] {
    Push(order);
    Count(-1);
  };
  if (pool_.TryRun(push)) return;
  Count(-1);
  Log(LogLevel::kWarning, "too many downloads are waiting; one is dropped",
      {{"folder", order.folder}});
}

void ArtifactSender::Count(int by) {
  if (options_.open != nullptr) *options_.open += by;
}

absl::Status ArtifactSender::ServeTo(ServeArtifactCommand order,
                                     const std::function<bool(ArtifactFrame)>& sink) {
  FPO_RETURN_IF_ERROR(options_.may_serve(&order));
  if (order.exported) {
    if (!order.checkpoint) FPO_RETURN_IF_ERROR(CheckModel(order));
    if (order.checkpoint) {
      FPO_ASSIGN_OR_RETURN(order.folder, options_.export_checkpoint(order.folder));
    } else {
      order.folder += "/model";
    }
    order.checkpoint = true;  // every file of the folder
  }
  return ServeArtifact(order, sink);
}

void ArtifactSender::Push(const ServeArtifactCommand& order) {
  grpc::ClientContext context;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return;
    running_.insert(&context);
  }
  pb::PushArtifactResponse response;
  const auto writer = stub_->PushArtifact(&context, &response);
  pb::PushArtifactRequest first;
  first.set_transfer_id(order.transfer_id);
  writer->Write(first);
  const absl::Status served =
      ServeTo(order, [&](ArtifactFrame frame) { return writer->Write(ToProto(std::move(frame))); });
  if (!served.ok() && !absl::IsCancelled(served)) writer->Write(ErrorToProto(served));
  writer->WritesDone();
  const grpc::Status end = writer->Finish();
  {
    absl::MutexLock lock(&mutex_);
    running_.erase(&context);
  }
  if (!served.ok() || !end.ok()) {
    Log(LogLevel::kInfo, "a download ended early",
        {{"folder", order.folder},
         {"file", order.file},
         {"error", served.ok() ? end.error_message() : std::string(served.message())}});
  }
}

}  // namespace fpo::worker
