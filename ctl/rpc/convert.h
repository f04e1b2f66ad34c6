#pragma once

#include <string>

#include "ctl/show/job_view.h"
#include "proto/fpo/v1/cache.pb.h"
#include "proto/fpo/v1/coordinator.pb.h"
#include "proto/fpo/v1/job.pb.h"

namespace fpo::ctl {

// Messages into the values that are rendered. Never fail: what cannot be read (the config of a
// newer server) stays empty.
JobView ViewOf(const fpo::v1::Job& job);
WorkerView ViewOf(const fpo::v1::Worker& worker);
QueueRow ViewOf(const fpo::v1::QueuedJob& place);
ManifestView ViewOf(const fpo::v1::Manifest& manifest);
CacheStatsView ViewOf(const fpo::v1::StatsResponse& stats);

// proto3 JSON of an answer on one line, with the field names of the .proto files and every field
// present.
std::string AnswerJson(const google::protobuf::Message& answer);

}  // namespace fpo::ctl
