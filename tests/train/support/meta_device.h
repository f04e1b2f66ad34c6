#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace fpo::train {

// What a computation on the meta device did that would make a real device wait, or fail there. The
// meta device computes shapes only; this library adds the kernels that LibTorch does not have for
// it, and makes up what is read from it: ones.
struct DeviceUse {
  int64_t items = 0;               // single numbers read (item)
  int64_t copies = 0;              // tensors copied to the host
  int64_t nonzeros = 0;            // lists whose length the host must learn
  std::vector<std::string> mixed;  // operators that got tensors of both devices
};

// Watches this thread, including the backward passes that it runs, while the object lives.
class DeviceWatch {
 public:
  // A row of `nonzero` has `nonzeros_per_row` entries.
  explicit DeviceWatch(int64_t nonzeros_per_row);
  ~DeviceWatch();
  DeviceWatch(const DeviceWatch&) = delete;
  DeviceWatch& operator=(const DeviceWatch&) = delete;
  const DeviceUse& use() const;

 private:
  struct Observer;
  std::unique_ptr<Observer> observer_;
};

}  // namespace fpo::train
