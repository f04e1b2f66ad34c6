#include "server/rpc/worker_control_service.h"

namespace fpo::coordinator {

grpc::ServerBidiReactor<fpo::v1::WorkerMessage, fpo::v1::CoordinatorMessage>*
WorkerControlService::Session(grpc::CallbackServerContext*) {
  return new WorkerSession(parts_);  // deletes itself in its last step
}

}  // namespace fpo::coordinator
