#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/backoff.h"
#include "common/files/open_folder.h"
#include "ctl/interrupt.h"
#include "ctl/rpc/coordinator_client.h"

namespace fpo::ctl {

// The source of the files: a job's result, or its checkpoint of a step; or the model folder of
// either.
struct ArtifactSource {
  std::string job_id;
  int64_t step = 0;
  bool exported = false;
};

// The result for one file.
struct FetchedFile {
  std::string name;
  int64_t bytes = 0;
  std::string sha256;      // hex
  bool was_there = false;  // complete before, and the same
};

// Fetches files into a folder: into NAME.part, continuing where an earlier run stopped, renamed
// once every byte was checked against the sender's SHA-256. A broken stream is resumed; names
// cannot leave the folder. Not thread-safe.
class ArtifactFetch {
 public:
  struct Dependencies {  // what they point to outlives the fetch
    CoordinatorClient* coordinator;
    Interrupt* interrupt;
    // This many more bytes of the files are present; `came`: through the network.
    std::function<void(int64_t bytes, bool came)> on_bytes;
    Backoff::Options backoff = {absl::Milliseconds(200), absl::Seconds(5), 0};
  };
  ArtifactFetch(const Dependencies& dependencies, ArtifactSource source)
      : dependencies_(dependencies), source_(std::move(source)) {}

  // NotFound, FailedPrecondition, Unavailable: as ReadArtifact. InvalidArgument: a name that leads
  // elsewhere. NotFound with an empty list.
  // FailedPrecondition (EXPORTING): the worker is making the model folder.
  absl::StatusOr<std::vector<fpo::v1::ArtifactFile>> List();
  void Into(const OpenFolder* folder) { folder_ = folder; }  // before Fetch; outlives the fetch
  // AlreadyExists: a file of that name with other bytes, or another download is writing it.
  // DataLoss: what was received is not what the sender has, twice.
  absl::StatusOr<FetchedFile> Fetch(const fpo::v1::ArtifactFile& file);

 private:
  class Part;

  absl::Status CheckList(const std::vector<fpo::v1::ArtifactFile>& files) const;
  absl::StatusOr<bool> IsThere(const fpo::v1::ArtifactFile& file, FetchedFile* fetched);
  absl::Status Receive(const std::string& name, Part* part, std::string* sha256);
  absl::Status Read(const std::string& name, int64_t offset,
                    const std::function<absl::Status(const fpo::v1::ReadArtifactResponse&)>& take);

  const Dependencies dependencies_;
  const ArtifactSource source_;
  const OpenFolder* folder_ = nullptr;
};

}  // namespace fpo::ctl
