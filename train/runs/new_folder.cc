#include "train/runs/new_folder.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "common/outputs/output_lock.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

bool WorthKeeping(const fs::path& folder) {
  std::error_code error;
  for (const char* name : {"job.yaml", "metrics.jsonl", "reference.fpr"}) {
    if (fs::exists(folder / name, error)) return true;
  }
  return false;
}

}  // namespace

NewFolder::NewFolder(const std::string& path) {
  std::error_code error;
  fs::path at = fs::absolute(path, error).lexically_normal();
  if (!at.has_filename()) at = at.parent_path();  // "runs/a/"
  path_ = at.string();
  while (at.has_relative_path() && !fs::exists(at, error)) {
    first_ = at.string();
    at = at.parent_path();
  }
}

void NewFolder::RemoveIfUnused() const {
  if (first_.empty() || WorthKeeping(path_) || IsOutputLocked(path_)) return;
  std::error_code error;
  fs::remove_all(path_, error);
  // Removes parents only while they are empty: another run may use them by now.
  for (fs::path at = path_; at != fs::path(first_) && !error;) {
    at = at.parent_path();
    fs::remove(at, error);
  }
}

std::string FolderMadeBy(const std::string& command, const std::string& out) {
  if (command == "evaluate" || command == "features") return out + ".prepared";
  for (const char* of_files : {"generate", "judge", "calibrate"}) {
    if (command == of_files) return "";  // files of their own
  }
  const bool file = absl::EndsWith(out, ".npz");  // of sae, whose folder may hold other files
  return file ? fs::path(out).parent_path().string() : out;
}

}  // namespace fpo::train
