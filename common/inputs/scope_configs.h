#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/inputs/sae_description.h"

namespace fpo {

// hyperparams.json of Llama Scope and of others that Language-Model-SAEs trained. InvalidArgument
// for what is no SAE of one site that reads rows scaled by one number: transcoders, gated encoders,
// rows scaled by their own norms, other activations than JumpReLU.
absl::StatusOr<SaeDescription> ParseLlamaScopeConfig(absl::string_view json,
                                                     const std::string& file);

// Whether a name is one of Qwen-Scope's, "layer12.sae.safetensors" (published as .pt).
bool IsQwenScopeName(absl::string_view file_name);

// Of a Qwen-Scope file, which has no config: the layer is in its name, k in that of a folder,
// "SAE-Res-Qwen3-1.7B-Base-W32K-L0_50". InvalidArgument when no folder says k.
absl::StatusOr<SaeDescription> DescribeQwenScope(const std::string& path);

}  // namespace fpo
