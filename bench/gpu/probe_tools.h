#pragma once

#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>

#include "absl/time/clock.h"

// What the probes (gpu_probe.cc, kernel_probe.cc) share.
namespace fpo::train {

inline void Print(const nlohmann::ordered_json& line) { std::printf("%s\n", line.dump().c_str()); }

inline absl::Time Settled(at::Device device) {
  if (!device.is_cpu()) c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(0);
  return absl::Now();
}

// Seconds of one call, after two calls that do not count: the mean of as many as fit in a fifth of
// a second, three at least.
inline double SecondsOf(at::Device device, const std::function<void()>& work) {
  for (int i = 0; i < 2; ++i) work();
  const absl::Time start = Settled(device);
  double elapsed = 0;
  int calls = 0;
  while (calls < 3 || elapsed < 0.2) {
    work();
    ++calls;
    elapsed = absl::ToDoubleSeconds(Settled(device) - start);
  }
  return elapsed / calls;
}

inline at::Tensor Random(at::IntArrayRef shape, at::Device device, at::ScalarType type) {
  return at::randn(shape, at::device(device).dtype(at::kFloat)).to(type);
}

}  // namespace fpo::train
