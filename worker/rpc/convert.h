#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/fpo/v1/cache.pb.h"
#include "proto/fpo/v1/worker.pb.h"
#include "worker/core/artifact.h"
#include "worker/core/cache_link.h"
#include "worker/core/coordinator_link.h"
#include "worker/core/device/device_probe.h"

// Between the core's plain values and the messages of proto/.
namespace fpo::worker {

fpo::v1::AttemptRef ToProto(const AttemptRef& id);
AttemptRef FromProto(const fpo::v1::AttemptRef& ref);
std::vector<AttemptRef> FromProto(
    const google::protobuf::RepeatedPtrField<fpo::v1::AttemptRef>& refs);

fpo::v1::Device ToProto(const Device& device);
fpo::v1::AttemptReport ToProto(const Report& report);
fpo::v1::WorkerMessage ToProto(const Outgoing& outgoing);
AssignCommand FromProto(const fpo::v1::Assign& assign);
KeepCheckpointsCommand FromProto(const fpo::v1::KeepCheckpoints& keep);
ServeArtifactCommand FromProto(const fpo::v1::ServeArtifact& serve);
fpo::v1::PushArtifactRequest ToProto(ArtifactFrame frame);
fpo::v1::PushArtifactRequest ErrorToProto(const absl::Status& error);

// DataLoss when a digest is not 32 bytes.
absl::StatusOr<ManifestCount> FromProto(const fpo::v1::PutManifestResponse& response);
RecordClaim FromProto(const fpo::v1::ClaimResponse& response);
ManifestProgress FromProto(const fpo::v1::WaitManifestResponse& response);
absl::StatusOr<RecordFrame> FromProto(const fpo::v1::PullManifestResponse& response);

}  // namespace fpo::worker
