#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/values/manifest.h"
#include "common/values/record_claim.h"
#include "common/values/record_transfer.h"
#include "proto/fpo/v1/cache.pb.h"

// Values of common/values and the messages of cache.proto. A request that names no digest where one
// is due is InvalidArgument with the field (INVALID_REQUEST), a response DataLoss.
namespace fpo {

absl::StatusOr<Digest> ReadDigest(const std::string& bytes, const std::string& field);
std::string KeysToBytes(absl::Span<const Digest> keys);  // one after the other

// With the number of keys; they follow in messages of their own and are not in the value read.
fpo::v1::ManifestHeader ToProto(const NewManifest& manifest);
NewManifest FromProto(const fpo::v1::ManifestHeader& proto);
fpo::v1::PutManifestResponse ToProto(const ManifestCount& count);
absl::StatusOr<ManifestCount> FromProto(const fpo::v1::PutManifestResponse& proto);
fpo::v1::WaitManifestResponse ToProto(const ManifestProgress& progress);
ManifestProgress FromProto(const fpo::v1::WaitManifestResponse& proto);

fpo::v1::ClaimRequest ToProto(const ClaimRequest& request);
absl::StatusOr<ClaimRequest> FromProto(const fpo::v1::ClaimRequest& proto);
fpo::v1::ClaimResponse ToProto(const RecordClaim& claim);
RecordClaim FromProto(const fpo::v1::ClaimResponse& proto);

// Without `seq` and the manifest, which are the stream's. The value is a view of the message.
fpo::v1::PutRecordsRequest ToProto(const PutBatch& batch);
PutBatch FromProto(const fpo::v1::PutRecordsRequest& proto);
fpo::v1::PutRecordsResponse ToProto(const PutCounts& counts);  // without `last_seq`
PutCounts FromProto(const fpo::v1::PutRecordsResponse& proto);

fpo::v1::PullManifestRequest ToProto(const PullRequest& request);
absl::StatusOr<PullRequest> FromProto(const fpo::v1::PullManifestRequest& proto);
fpo::v1::PullManifestResponse ToProto(RecordFrame frame);
absl::StatusOr<RecordFrame> FromProto(fpo::v1::PullManifestResponse proto);

}  // namespace fpo
