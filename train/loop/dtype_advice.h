#pragma once

#include <c10/core/Device.h>

#include <string>

#include "train/events/event_sink.h"

namespace fpo::train {

// What the same matrix product takes in either type.
struct ProductSeconds {
  double bfloat16 = 0;
  double float32 = 0;
};

// On the CPU, with the current threads; takes less than a tenth of a second.
ProductSeconds MeasureProducts();

// What to say to those who compute in bfloat16 where that is clearly slower than float32: CPUs
// without instructions for it. Empty: nothing.
std::string DtypeAdvice(const ProductSeconds& measured);

// Measures and warns, when `dtype` is bfloat16 and `device` a CPU.
void WarnOfSlowDtype(const std::string& dtype, c10::Device device, EventSink& events);

}  // namespace fpo::train
