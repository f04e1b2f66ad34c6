#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/job/job_config.h"
#include "common/job/job_node.h"

namespace fpo {

// One thing wrong with a job file. `line` is 1-based, 0 when the text has no lines to name (JSON
// between programs, --set).
struct JobProblem {
  int line = 0;
  std::string key;        // dotted, e.g. "optimizer.lr"
  std::string message;    // what is wrong and what is allowed
  std::string file = {};  // that the line is in, where it is not the job file
};

// Reads job.yaml text strictly: unknown and duplicate keys, wrong types and values out of range are
// all reported at once, each with its line. `set` are "key=value" overrides (dotted keys), applied
// before validation. `file` only names the file in messages. Error: InvalidArgument whose message
// lists every problem, one per line: "job.yaml:12: optimizer.lr: ...".
absl::StatusOr<JobConfig> ReadJobYaml(absl::string_view text, absl::string_view file,
                                      const std::vector<std::string>& set = {});

// The same from the JSON form that programs exchange; strict in the same way.
absl::StatusOr<JobConfig> ReadJobJson(absl::string_view text);

// Reads a job file of either form, told apart by its first character ('{' is JSON). Paths stay as
// written.
absl::StatusOr<JobConfig> ReadJobFile(const std::string& path);

// "job.yaml:12: optimizer.lr: ...".
std::string ProblemLine(const JobProblem& problem, absl::string_view file);

// Looks up environment variables; nullopt: not set. An empty function: none is set.
using Variables = std::function<std::optional<std::string>(const std::string& name)>;

// Looks at inputs that are on this machine more closely than the loader can. Returns problems,
// which get their lines, and adds notes.
using InputTrial =
    std::function<std::vector<JobProblem>(const JobConfig&, std::vector<std::string>* notes)>;

// A job file's changes for one run of several, from a file of their own.
struct JobRun {
  struct Change {
    std::string key;  // dotted
    JobNode value;    // with lines of `file`
  };
  std::string name;
  std::string file;  // names it in messages
  int line = 0;
  std::vector<Change> changes;
};

// A job file as named on a command line.
struct JobSource {
  std::string text;
  std::string file;                   // names it in messages
  std::string folder;                 // absolute; what relative paths are relative to
  std::vector<std::string> set = {};  // "key=value"
  Variables variables = {};           // that paths may use
  InputTrial trial = {};              // called when no input is missing or unfit
  const JobRun* run = nullptr;        // applied after `set`; its problems name its file and lines
};

struct LoadedJob {
  JobConfig config;                 // every path absolute, variables expanded
  std::vector<std::string> notes;   // keys that are set but not used
  std::vector<JobProblem> missing;  // inputs that are missing on this machine
  std::vector<JobProblem> unfit;    // inputs that exist but that a run would reject
};

// Reads, checks and resolves a job: ReadJobYaml, then ResolveJobPaths; the problems of both are
// reported at once.
absl::StatusOr<LoadedJob> LoadJob(const JobSource& source);

// The text of a job file; "-" reads standard input. NotFound, PermissionDenied...; InvalidArgument
// for one that is too large.
absl::StatusOr<std::string> ReadJobText(const std::string& path);

// The folder that the relative paths of a job file are relative to: its own; of "-" and of pipes
// the current one.
std::string JobFolder(const std::string& path);

// The job file of a command line: relative paths are relative to its folder.
absl::StatusOr<LoadedJob> LoadJobFile(const std::string& path, const Variables& variables);

// The effective job with every default filled in. ReadJobJson(WriteJobJson(c)) == c.
std::string WriteJobJson(const JobConfig& config);
std::string WriteJobYaml(const JobConfig& config);

// Rules over several fields (a method that needs an SAE, limits that empty a response...). Called
// by the readers; empty: valid.
std::vector<JobProblem> ValidateJob(const JobConfig& config);
// What is wrong with the name of a new job. Jobs of earlier versions may have such names.
std::vector<JobProblem> CheckNewName(const std::string& name);

// Whether a run of the job ends with a feature report (features_section.h).
bool MakesFeatures(const JobConfig& config);

// Advice that does not stop a job, e.g. beta below 1 for length-normalised margins. `steps`: the
// length of the run, when known.
std::vector<std::string> JobWarnings(const JobConfig& config,
                                     std::optional<int64_t> steps = std::nullopt);

// JSON Schema (draft 2020-12) of job.yaml, made from the field table, for editors.
std::string JobSchema();

}  // namespace fpo
