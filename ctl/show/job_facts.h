#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "proto/fpo/v1/job.pb.h"

// What several views of a job ask of its message.
namespace fpo::ctl {

bool IsTerminal(const fpo::v1::Job& job);
// Of the newest one; 0 before the first.
int AttemptNumber(const fpo::v1::Job& job);

// "train", or "train:fpo" with this between kind and method.
std::string KindText(const fpo::v1::Job& job, absl::string_view separator);
// "gpu=h100,who=bob", by name.
std::string LabelsText(const google::protobuf::Map<std::string, std::string>& labels,
                       absl::string_view separator);
bool UsesCache(const fpo::v1::Job& job);

// What its configuration says. What cannot be read (that of a newer server) stays empty.
struct JobConfigFacts {
  std::string model;
  std::string output;
  bool has_reference = false;  // the reference phase is part of the job
};
JobConfigFacts ConfigFactsOf(const fpo::v1::Job& job);

// Nothing when it is absent: TimeIf(job.has_started(), job.started()).
std::optional<absl::Time> TimeIf(bool present, const google::protobuf::Timestamp& time);

}  // namespace fpo::ctl
