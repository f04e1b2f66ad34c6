#pragma once

#include <string>

namespace fpo::train {

// An output folder that a command is about to create. A command that fails at its start leaves
// nothing behind: RemoveIfUnused removes the folder, with the parents created for it. It keeps a
// folder that existed before and one with something of value: a started run (job.yaml,
// metrics.jsonl), computed records (reference.fpr) or the lock of another process.
class NewFolder {
 public:
  explicit NewFolder(const std::string& path);  // construct before anything creates it
  void RemoveIfUnused() const;

 private:
  std::string path_;
  std::string first_;  // topmost missing folder of the path; empty: none
};

// The folder that a command of fpo-train creates for its --out; "" when it creates none.
std::string FolderMadeBy(const std::string& command, const std::string& out);

}  // namespace fpo::train
