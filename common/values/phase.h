#pragma once

#include "common/values/enum_names.h"

namespace fpo {

// The phases of an attempt, in this order.
enum class Phase { kPrepare, kReference, kTrain, kFinish };

template <>
struct EnumNames<Phase> {
  static constexpr absl::string_view kNames[] = {"prepare", "reference", "train", "finish"};
};

}  // namespace fpo
