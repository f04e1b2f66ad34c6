#pragma once

#include "common/values/artifact_file.h"
#include "common/values/cache_use.h"
#include "common/values/checkpoint.h"
#include "common/values/worker_device.h"
#include "common/wire/enums.h"
#include "proto/fpo/v1/job.pb.h"

// Values of common/values and the messages of job.proto.
namespace fpo {

fpo::v1::CacheUse ToProto(const CacheUse& use);
CacheUse FromProto(const fpo::v1::CacheUse& proto);
fpo::v1::Device ToProto(const Device& device);
Device FromProto(const fpo::v1::Device& proto);
fpo::v1::Checkpoint ToProto(const Checkpoint& checkpoint);
fpo::v1::BadCheckpoint ToProto(const BadCheckpoint& bad);
fpo::v1::ArtifactFile ToProto(const ArtifactFile& file);

}  // namespace fpo
