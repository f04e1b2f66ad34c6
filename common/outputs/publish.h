#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fpo {

// The one folder that this process writes for a run, while others may believe that it is theirs.
struct PublishGuard {
  std::string folder;  // what is published below it is checked
  // Of the building names, unique among the processes that may write there: "a2-e5".
  std::string tag;
  std::function<absl::Status()> check;  // an error: the folder is another attempt's by now
};

// One for the process; replaces the one before. Thread-safe, as all functions here.
void SetPublishGuard(PublishGuard guard);
void ClearPublishGuard();
bool IsGuarded(const std::string& path);  // below the guard's folder, or that folder

// To be asked between writing something under a name of one's own and renaming it to the name that
// readers know. OK for paths outside the guarded folder.
absl::Status MayPublish(const std::string& path);

// "/runs/a/model.tmp-a2-e5": where `target` is built. No other attempt uses the name.
std::string BuildingPath(absl::string_view target);
// "/runs/a/step-4.old-a2-e5": what it is called while it is being removed.
std::string DoomedPath(absl::string_view target);

// Puts the folder `building` in the place of `target`, in one step where the file system can
// exchange names (else the target is absent for a moment), and removes what was there. On an error
// of MayPublish both are left as they are.
absl::Status PublishFolder(const std::string& building, const std::string& target);

}  // namespace fpo
