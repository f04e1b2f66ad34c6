#pragma once

#include "absl/status/status.h"
#include "common/wire/worker_wire.h"
#include "proto/fpo/v1/worker.pb.h"
#include "worker/core/artifact.h"
#include "worker/core/coordinator_link.h"

// Messages of the worker's own values; those it shares with others are in common/wire.
namespace fpo::worker {

using fpo::FromProto;
using fpo::ToProto;

fpo::v1::WorkerMessage ToProto(const Outgoing& outgoing);
fpo::v1::PushArtifactRequest ToProto(ArtifactFrame frame);
fpo::v1::PushArtifactRequest ErrorToProto(const absl::Status& error);

}  // namespace fpo::worker
