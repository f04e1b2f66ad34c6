#pragma once

#include "common/values/enum_names.h"

namespace fpo {

// What an attempt goes through, in this order.
enum class Phase { kPrepare, kReference, kTrain, kFinish };

template <>
struct EnumNames<Phase> {
  static constexpr absl::string_view kNames[] = {"prepare", "reference", "train", "finish"};
};

}  // namespace fpo
