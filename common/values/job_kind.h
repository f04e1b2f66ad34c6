#pragma once

#include "common/values/enum_names.h"

namespace fpo {

// What a job does: `kind` of the job file.
enum class JobKind { kTrain, kReference, kEvaluate, kSae, kGenerate, kJudge };

template <>
struct EnumNames<JobKind> {
  static constexpr absl::string_view kNames[] = {"train", "reference", "evaluate",
                                                 "sae",   "generate",  "judge"};
};

}  // namespace fpo
