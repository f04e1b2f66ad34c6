#pragma once

#include <c10/core/Device.h>

#include <string>

#include "train/events/event_sink.h"

namespace fpo::train {

// Times of the same matrix product in either type.
struct ProductSeconds {
  double bfloat16 = 0;
  double float32 = 0;
};

// On the CPU, with the current threads; takes less than half a second, mostly far less.
ProductSeconds MeasureProducts();

// Advice for a user of bfloat16 where it is clearly slower than float32: CPUs without instructions
// for it. Empty: none.
std::string DtypeAdvice(const ProductSeconds& measured);

// Measures and warns, when `dtype` is bfloat16 and `device` is a CPU.
void WarnOfSlowDtype(const std::string& dtype, c10::Device device, EventSink& events);

}  // namespace fpo::train
