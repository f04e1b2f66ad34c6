#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "proto/fpo/v1/worker.grpc.pb.h"

namespace fpo::testing {

// One session of a scripted agent, from Hello to its end. Its worker carries the label "zombie"
// with its own name as value, so that a job can ask for it alone. Messages may be sent from several
// threads, beside one that awaits.
class AgentSession {
 public:
  AgentSession(fpo::v1::WorkerControl::Stub* stub, const std::string& name,
               const std::string& instance, const std::vector<fpo::v1::AttemptRef>& running);
  ~AgentSession();

  void Heartbeat();
  void Report(const fpo::v1::AttemptRef& ref, fpo::v1::AttemptReport::Status status);
  void Checkpoint(const fpo::v1::AttemptRef& ref, uint64_t seq, int64_t step);
  // Log lines of rank 0 with this text, numbered from `first_seq`.
  bool Logs(const fpo::v1::AttemptRef& ref, uint64_t first_seq, int count, const std::string& text);
  // The next message of a kind; false when the session ended before.
  bool Await(fpo::v1::CoordinatorMessage::KindCase kind, fpo::v1::CoordinatorMessage* message);

 private:
  bool Write(const fpo::v1::WorkerMessage& message);

  grpc::ClientContext context_;
  std::mutex write_mutex_;  // one write at a time
  std::unique_ptr<grpc::ClientReaderWriter<fpo::v1::WorkerMessage, fpo::v1::CoordinatorMessage>>
      stream_;
  uint64_t heartbeats_ = 0;
};

}  // namespace fpo::testing
