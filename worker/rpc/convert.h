#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/wire/worker_wire.h"
#include "proto/fpo/v1/cache.pb.h"
#include "proto/fpo/v1/worker.pb.h"
#include "worker/core/artifact.h"
#include "worker/core/cache_link.h"
#include "worker/core/coordinator_link.h"

// The messages and what is the worker's alone; what it shares with others is in common/wire.
namespace fpo::worker {

using fpo::FromProto;
using fpo::ToProto;

fpo::v1::WorkerMessage ToProto(const Outgoing& outgoing);
fpo::v1::PushArtifactRequest ToProto(ArtifactFrame frame);
fpo::v1::PushArtifactRequest ErrorToProto(const absl::Status& error);

// DataLoss when a digest is not 32 bytes.
absl::StatusOr<ManifestCount> FromProto(const fpo::v1::PutManifestResponse& response);
RecordClaim FromProto(const fpo::v1::ClaimResponse& response);
ManifestProgress FromProto(const fpo::v1::WaitManifestResponse& response);
absl::StatusOr<RecordFrame> FromProto(const fpo::v1::PullManifestResponse& response);

}  // namespace fpo::worker
