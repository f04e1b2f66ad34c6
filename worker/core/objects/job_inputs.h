#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/job/job_config.h"
#include "worker/core/job_places.h"
#include "worker/core/objects/input_store.h"

namespace fpo::worker {

// The inputs of one job that are URLs: what they stand for on this host, and what they contained
// when the job began. Not thread-safe.
class JobInputs {
 public:
  struct Options {
    JobPlaces places;
    std::string hub_cache;
  };
  struct Observer {
    std::function<void(const std::string& text)> on_note;          // for the job's log
    std::function<void(const std::string& activity)> on_activity;  // what is being done now
  };

  // `store`: null when this worker has no object store.
  JobInputs(Options options, InputStore* store) : options_(std::move(options)), store_(store) {}

  // Puts paths of this host in the place of the job's URLs, each fetched as far as it is not here.
  // They stay until this object goes. InvalidArgument, with the key: what the user has to change;
  // Unavailable and ResourceExhausted: it may succeed later or elsewhere; Cancelled.
  absl::Status Fetch(JobConfig* config, const Observer& observer, std::stop_token stop);

  // FOLDER/inputs.json says what an earlier attempt has read. InvalidArgument: a URL has other
  // contents now, so that the job would go on with other data.
  absl::Status CheckUnchanged(const std::string& folder) const;
  // Writes it, if the job has URLs and nothing is there.
  absl::Status Remember(const std::string& folder) const;

 private:
  struct Content {
    std::string url;
    std::string content;  // "sha256:..." or "commit:..."
    int64_t files = 0;
    int64_t bytes = 0;
  };

  absl::StatusOr<std::string> PathOf(const std::string& url, const Observer& observer,
                                     std::stop_token stop);
  absl::StatusOr<std::string> PathOfObjects(const std::string& url, const Observer& observer,
                                            std::stop_token stop);
  absl::StatusOr<std::string> PathOfHub(const std::string& url, const Observer& observer);

  const Options options_;
  InputStore* const store_;
  std::vector<Content> contents_;
  std::vector<std::shared_ptr<void>> holds_;
};

}  // namespace fpo::worker
