#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "ctl/rpc/session.h"
#include "proto/fpo/v1/coordinator.pb.h"

namespace fpo::ctl {

// A request for this job in the caller's name; without a request id.
fpo::v1::SubmitRequest RequestFor(const Session& session, const JobConfig& config);

// Repeats a submit whose response was lost, always with the same request id. When it stays lost,
// the error says that the job may or may not be stored; its hint ends in `again`.
absl::StatusOr<fpo::v1::SubmitResponse> SubmitOnce(Session& session, CoordinatorClient& coordinator,
                                                   const fpo::v1::SubmitRequest& request,
                                                   const std::string& again);

// A hint: the typed command line, with this request id, stores nothing twice.
std::string AgainHint(const Session& session, const std::string& request_id);

// On standard error, unless -q.
void PrintWarnings(Session& session, const std::vector<std::string>& warnings);

// The response as the settings want it: JSON, only the id, or with the commands to run next.
void PrintSubmitted(Session& session, const fpo::v1::SubmitResponse& response);

}  // namespace fpo::ctl
