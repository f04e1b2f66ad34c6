#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "proto/fpo/v1/job.pb.h"

// Facts that several views take from a job's message.
namespace fpo::ctl {

bool IsTerminal(const fpo::v1::Job& job);
// Of the newest one; 0 before the first.
int AttemptNumber(const fpo::v1::Job& job);

// "train", or "train:fpo" with this between kind and method.
std::string KindText(const fpo::v1::Job& job, absl::string_view separator);
// "gpu=h100,who=bob", by name.
std::string LabelsText(const google::protobuf::Map<std::string, std::string>& labels,
                       absl::string_view separator);
// "4", or "2/4" of a job that holds fewer than it asks for.
std::string SlotsText(const fpo::v1::Job& job);
bool UsesCache(const fpo::v1::Job& job);

// Facts from its configuration. What cannot be read (from a newer server) stays empty.
struct JobConfigFacts {
  std::string model;
  std::string output;
  bool has_reference = false;  // the reference phase is part of the job
};
JobConfigFacts ConfigFactsOf(const fpo::v1::Job& job);

// nullopt when it is absent: TimeIf(job.has_started(), job.started()).
std::optional<absl::Time> TimeIf(bool present, const google::protobuf::Timestamp& time);

}  // namespace fpo::ctl
