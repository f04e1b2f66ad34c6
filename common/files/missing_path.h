#pragma once

#include <string>

namespace fpo {

// A path that is looked for, and how it was written, from which a name of the Hugging Face Hub
// shows.
struct WantedPath {
  std::string path;   // absolute
  std::string given;  // as in the job file
};

enum class PathWanted { kFile, kFolder, kFileOrFolder };

// "" when it is there and of the wanted kind. Else what is wrong, with the nearest folder that
// exists and a name in it that is close: "there is no file /data/ultrafeedbak/train.jsonl: /data
// exists, /data/ultrafeedbak does not; did you mean /data/ultrafeedback?".
std::string MissingPathProblem(const WantedPath& wanted, PathWanted kind);

// The same for a Hugging Face model folder: config.json and, when `tokenizer` is set, a tokenizer
// must be in it.
std::string ModelFolderProblem(const WantedPath& wanted, bool tokenizer);

}  // namespace fpo
