#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "common/job/job_file.h"

namespace fpo {

// One path of a job: its dotted key, what it names, and where its text lives.
struct JobPath {
  enum class Kind { kModel, kSae, kData, kFile, kOutput };
  std::string key;
  Kind kind;
  std::string* path;
};

// Every path of the job that is not empty; the pointers lead into `config`.
std::vector<JobPath> JobPaths(JobConfig* config);

// Whether this kind of job with this method ever opens the path.
bool IsRead(const JobConfig& config, const JobPath& path);

// A path as people write it, made absolute: "~", "$NAME" and "${NAME}" stand for what the
// environment says, and what is relative lies below `folder`. A name that exists as it is written
// is taken as it is. InvalidArgument names a variable that is unset or empty.
absl::StatusOr<std::string> ResolvePath(const std::string& path, const std::string& folder,
                                        const Variables& variables);

// Resolves every path of the job by the folder and the variables of its source. What cannot be
// resolved stays as it is and is reported.
std::vector<JobProblem> ResolveJobPaths(const JobSource& source, JobConfig* config);

// Inputs of the job that are not on this machine, each with the nearest folder that is, or that are
// of the wrong kind. `given` is the job as it was written, `resolved` the same with absolute paths.
// What the job does not read (the SAE of a method without one) is not looked at.
std::vector<JobProblem> MissingInputs(const JobConfig& given, const JobConfig& resolved);

}  // namespace fpo
