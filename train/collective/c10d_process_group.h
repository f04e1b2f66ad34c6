#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "train/collective/process_group.h"
#include "train/collective/store_barrier.h"

namespace fpo::train {

struct C10dOptions {
  int64_t rank = 0;
  int64_t world = 1;
  std::string host = "127.0.0.1";  // where rank 0's store listens
  int port = 0;
  std::string prefix = "fpo";                  // attempts with different prefixes never connect
  absl::Duration timeout = absl::Minutes(10);  // for joining and for each call but Barrier
  at::Device device = at::kCPU;                // of the tensors: Gloo for the CPU, NCCL for CUDA
  StoreBarrier::Options barrier = {};
};

// Ranks that connect through a TCPStore run by rank 0 and communicate over Gloo or NCCL. Sums
// gather all parts and add them in rank order, chunk by chunk, so that every rank gets the same
// bits. Barriers have no time limit: over Gloo the end of a process ends them at once, and
// everywhere the silence of one does (StoreBarrier). Blocks until all ranks have joined. Aborted
// when a rank does not join or is lost; NotFound when NCCL is missing; Unimplemented when the
// program was built without Gloo's headers.
absl::StatusOr<std::unique_ptr<ProcessGroup>> JoinC10d(const C10dOptions& options);

}  // namespace fpo::train
