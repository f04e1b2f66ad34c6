#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"

namespace fpo::ctl {

// A name means its newest job. Where that can surprise, the commands say which one it is. `job` is
// what the JOB of the invocation resolved to; one given by its id has no namesakes.

// Says on standard error which other jobs have that name.
absl::Status NoteNamesakes(Session& session, CoordinatorClient& coordinator,
                           const fpo::v1::Job& job);

// The newest job of that name that SUCCEEDED, when `job` is FAILED or CANCELLED and there is one,
// with a note on standard error; else `job`.
absl::StatusOr<fpo::v1::Job> WithResult(Session& session, CoordinatorClient& coordinator,
                                        const fpo::v1::Job& job);

}  // namespace fpo::ctl
