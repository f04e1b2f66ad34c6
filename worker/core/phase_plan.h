#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/job/job_config.h"
#include "worker/core/coordinator_link.h"

namespace fpo::worker {

// How this worker starts its trainer.
struct TrainerProgram {
  std::string path;             // fpo-train
  std::string device = "auto";  // auto | cpu | cuda
  int threads = 1;              // CPU threads a slot may use
};

// The folders of an attempt. Absolute paths.
struct AttemptFolders {
  std::string job;       // WORK/jobs/<job>
  std::string attempt;   // WORK/jobs/<job>/a1-e1: working directory of its processes
  std::string job_json;  // the effective job
  std::string prepared;  // shared by the attempts of a job
  std::string scratch;   // records not yet in the cache
};

AttemptFolders FoldersOf(const std::string& work_dir, const AttemptRef& attempt);

// A file, folder or pattern that the job reads, and its key.
struct JobInput {
  std::string key;
  std::string path;
};
std::vector<JobInput> InputsOf(const JobConfig& config);

// Whether it writes to its output folder; kind reference makes records only.
bool WritesOutput(const JobConfig& config);

// Whether the job needs records from the reference cache.
bool UsesReferenceCache(const JobConfig& config);

// Relative paths are ambiguous: agent, trainer and user have different working directories.
// InvalidArgument names each.
absl::Status CheckPathsAreAbsolute(const JobConfig& config);
// Files and folders that the job reads. InvalidArgument names the first that does not exist or may
// not be read; Unavailable: the file system of one fails.
absl::Status CheckInputsExist(const JobConfig& config);

std::vector<std::string> PrepareCommand(const TrainerProgram& trainer,
                                        const AttemptFolders& folders);
std::vector<std::string> ScoreCommand(const TrainerProgram& trainer, const AttemptFolders& folders);

// The inputs of one rank of the job's main phase.
struct RankWork {
  std::string record_file;  // empty without cached records
  int32_t rank = 0;
  int32_t world_size = 1;
  std::string rendezvous;  // rank 0's address, when there are several ranks
};

// Where kind generate puts its answers: a list for alpaca_eval, else one row a line.
std::string AnswersFile(const JobConfig& config);

// Where kind judge puts its annotations; their summary lies beside them.
std::string AnnotationsFile(const JobConfig& config);

// Whether the job reads training data, which `prepare` turns into tokens. Kinds generate and judge
// read their texts themselves.
bool IsPreparedFirst(const JobConfig& config);

// The command of the job's main process: `run`, `sae`, `evaluate`, `generate` or `judge`. Empty
// for kind reference, whose work ends with its records.
std::vector<std::string> MainCommand(const TrainerProgram& trainer, const AttemptFolders& folders,
                                     const JobConfig& config, const RankWork& work);

}  // namespace fpo::worker
