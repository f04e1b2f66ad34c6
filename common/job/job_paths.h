#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "common/job/job_file.h"

namespace fpo {

// One path of a job: its dotted key, what it names, and where its text lives.
struct JobPath {
  enum class Kind {
    kModel,
    kSae,
    kData,
    kLabels,
    kAdapter,
    kPrompts,
    kTemplate,
    kFile,
    kJudged,
    kOutput
  };
  std::string key;
  Kind kind;
  std::string* path;
};

// Every non-empty path of the job; the pointers point into `config`.
std::vector<JobPath> JobPaths(JobConfig* config);

// Whether this kind of job with this method ever opens the path.
bool IsRead(const JobConfig& config, const JobPath& path);

// Makes a path absolute: "~", "$NAME" and "${NAME}" are expanded from the environment, and relative
// paths are relative to `folder`. A name that exists as written is kept, and so is a URL.
// InvalidArgument names a variable that is unset or empty.
absl::StatusOr<std::string> ResolvePath(const std::string& path, const std::string& folder,
                                        const Variables& variables);

// Resolves every path of the job with the folder and the variables of its source. Paths that cannot
// be resolved stay unchanged and are reported.
std::vector<JobProblem> ResolveJobPaths(const JobSource& source, JobConfig* config);

// Inputs of the job that are missing on this machine, each with the nearest folder that exists, or
// that are of the wrong kind. `given` is the job as written, `resolved` the same with absolute
// paths. Inputs that the job does not read (the SAE of a method without one) are not checked.
std::vector<JobProblem> MissingInputs(const JobConfig& given, const JobConfig& resolved);

}  // namespace fpo
