#pragma once

#include <c10/core/Device.h>
#include <c10/util/intrusive_ptr.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace c10d {
class Backend;
class Store;
}  // namespace c10d

namespace fpo::train {

// What a c10d backend is made from. The store is reached already; the backend keeps it.
struct BackendRequest {
  c10::intrusive_ptr<c10d::Store> store;
  int rank = 0;
  int world = 1;
  absl::Duration timeout;  // of each call
};

// NCCL, for tensors on CUDA devices, one device a rank. It lies in a library of its own beside the
// program (nccl_plugin.cc), opened here, because NCCL and CUDA are absent on machines that train on
// the CPU. NotFound says what is missing.
absl::StatusOr<c10::intrusive_ptr<c10d::Backend>> MakeNcclBackend(const BackendRequest& request);

}  // namespace fpo::train
