#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fpo {

// The files that hold a model's weights.
struct WeightFiles {
  std::vector<std::string> files;  // paths of .safetensors files, by name
  std::string index;               // path of the index that names them; "" without one
  std::map<std::string, std::string> weight_map;  // of the index: tensor to file name
  bool pieces = false;             // each rank's part of a checkpoint (rank_files.h), in order
  std::vector<std::string> notes;  // what is beside them and not read; sentences for the user
};

// Chooses the weights of a Hugging Face folder as transformers' from_pretrained does: the file that
// transformers_weights of config.json names, else model.safetensors, else the shards of
// model.safetensors.index.json. Beyond transformers, shards without an index are taken when all of
// one numbering are there and nothing else is, and the parts of a checkpoint that several ranks
// wrote. Reads only JSON.
//
// NotFound: no such folder, no weights, or an index that names a missing file. InvalidArgument:
// other weights, named for what they are with the way out. DataLoss: a broken index.
absl::StatusOr<WeightFiles> ChooseWeightFiles(const std::string& folder);

}  // namespace fpo
