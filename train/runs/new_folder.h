#pragma once

#include <string>

namespace fpo::train {

// An output folder that a command is about to make. What did not get beyond its start leaves
// nothing: RemoveIfUnused takes the folder away again, with the parents that were made for it. One
// that was there before is not touched, nor one that holds something worth keeping: a run that has
// begun (job.yaml, metrics.jsonl) or records that were computed (reference.fpr).
class NewFolder {
 public:
  explicit NewFolder(const std::string& path);  // before anything makes it
  void RemoveIfUnused() const;

 private:
  std::string path_;
  std::string first_;  // of the path and its parents the topmost that is not there; empty: none
};

}  // namespace fpo::train
