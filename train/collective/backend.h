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

// Arguments of a c10d backend. The store is already connected; the backend keeps a reference.
struct BackendRequest {
  c10::intrusive_ptr<c10d::Store> store;
  int rank = 0;
  int world = 1;
  absl::Duration timeout;  // of each call
};

// NCCL, for tensors on CUDA devices, one device per rank. Loaded from a separate library next to
// the program (nccl_plugin.cc), because machines that train on the CPU have neither NCCL nor CUDA.
// NotFound says what is missing.
absl::StatusOr<c10::intrusive_ptr<c10d::Backend>> MakeNcclBackend(const BackendRequest& request);

}  // namespace fpo::train
