#pragma once

#include <string>

namespace fpo {

// A path to look for, and how it was written, which shows whether it is a name of the Hugging Face
// Hub.
struct WantedPath {
  std::string path;   // absolute
  std::string given;  // as in the job file
};

enum class PathWanted { kFile, kFolder, kFileOrFolder };

// "" when it exists and is of the wanted kind. Otherwise what is wrong, with the nearest folder
// that exists and a similar name in it: "there is no file /data/ultrafeedbak/train.jsonl: /data
// exists, /data/ultrafeedbak does not; did you mean /data/ultrafeedback?".
std::string MissingPathProblem(const WantedPath& wanted, PathWanted kind);

// The same for a Hugging Face model folder, which must contain config.json and, when `tokenizer` is
// set, a tokenizer.
std::string ModelFolderProblem(const WantedPath& wanted, bool tokenizer);

}  // namespace fpo
