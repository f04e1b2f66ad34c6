#pragma once

#include <string>

namespace fpo {

// Why a folder (or file) named as a model cannot be used as one, judged by the files in it alone: a
// sentence that names what it holds instead (a PEFT adapter, a GGUF file, pickled or sharded
// training checkpoints, an incomplete download, a run's output folder) and the way out, often a
// command. "" when nothing is recognised.
//
// `weights`: the folder was already seen to lack safetensors that can be used, so that any other
// weights are what it holds.
std::string ForeignWeights(const std::string& folder, bool weights);

}  // namespace fpo
