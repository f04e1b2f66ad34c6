#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fpo {

// "" when model_type of a config.json is of a family that can be trained. Otherwise what the model
// is, and which can be used: "is Gemma 3n, whose layers differ from ...".
std::string ForeignModelType(absl::string_view model_type);

// What quantization_config of a config.json names, "bitsandbytes (4 bits)", given its JSON; "" for
// null and for an empty object.
std::string QuantisationName(absl::string_view json);
// Whether it names bitsandbytes' NF4, which is read as it is.
bool IsNf4Config(absl::string_view json);

// The way out for quantised weights: a sentence with a command for the model in `folder`.
std::string DequantiseHint(const std::string& folder);

}  // namespace fpo
