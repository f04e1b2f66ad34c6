#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "common/job/job_file.h"
#include "ctl/command_line/invocation.h"

namespace fpo::ctl {

// Changes to a job file before it is checked: --set, and what one run of a sweep changes.
struct JobChanges {
  std::vector<std::string> set;  // "key=value"
  const JobRun* run = nullptr;
};

// How closely the inputs of a job are looked at.
enum class InputLook {
  kNames,  // names and small files
  kRows,   // the trainer beside fpoctl, if there is one, tries the first rows too
};

// Reads the job file an invocation names ("-": standard input), with its --set changes. Relative
// paths become absolute, relative to the folder of the job file, wherever fpoctl was started; "~"
// and variables are expanded here. Errors: NotFound for the file; InvalidArgument with reason
// INVALID_JOB and one problem per line for its content.
absl::StatusOr<LoadedJob> LoadJobSource(const Environment& environment, const std::string& path,
                                        const std::vector<std::string>& set,
                                        InputLook look = InputLook::kNames);

// The two halves of LoadJobSource with kNames, to load one text under several sets of changes:
// standard input is read once.
absl::StatusOr<std::string> ReadJobSource(const std::string& path);
absl::StatusOr<LoadedJob> ParseJobSource(const Environment& environment, const std::string& path,
                                         const std::string& text, const JobChanges& changes);

// Warnings about a valid job, one sentence each: keys that are set and not used, and inputs that
// are missing on this machine or that a run would refuse as they are here. Workers may see other
// disks.
std::vector<std::string> WordsAbout(const LoadedJob& job, const std::string& path);

// Gives the job this label, replacing one of the same name.
void SetLabel(const std::string& name, const std::string& value, JobConfig* config);

}  // namespace fpo::ctl
