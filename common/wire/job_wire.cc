#include "common/wire/job_wire.h"

#include "common/wire/wire_time.h"

namespace fpo {

namespace pb = fpo::v1;

pb::CacheUse ToProto(const CacheUse& use) {
  pb::CacheUse proto;
  proto.set_records_total(use.records_total);
  proto.set_records_hit(use.records_hit);
  proto.set_records_computed(use.records_computed);
  proto.set_manifest_id(use.manifest_id);
  proto.set_recipe_id(use.recipe_id);
  proto.set_reference_seconds(use.reference_seconds);
  proto.set_saved_seconds(use.saved_seconds);
  proto.set_saved_flops(use.saved_flops);
  return proto;
}

CacheUse FromProto(const pb::CacheUse& proto) {
  CacheUse use;
  use.records_total = proto.records_total();
  use.records_hit = proto.records_hit();
  use.records_computed = proto.records_computed();
  use.manifest_id = proto.manifest_id();
  use.recipe_id = proto.recipe_id();
  use.reference_seconds = proto.reference_seconds();
  use.saved_seconds = proto.saved_seconds();
  use.saved_flops = proto.saved_flops();
  return use;
}

pb::Device ToProto(const Device& device) {
  pb::Device proto;
  proto.set_index(device.index);
  proto.set_name(device.name);
  proto.set_memory_bytes(device.memory_bytes);
  proto.set_used_bytes(device.used_bytes);
  proto.set_driver(device.driver);
  return proto;
}

Device FromProto(const pb::Device& proto) {
  return {.index = proto.index(),
          .name = proto.name(),
          .memory_bytes = proto.memory_bytes(),
          .used_bytes = proto.used_bytes(),
          .driver = proto.driver()};
}

pb::Checkpoint ToProto(const Checkpoint& checkpoint) {
  pb::Checkpoint proto;
  proto.set_step(checkpoint.step);
  proto.set_attempt(checkpoint.attempt);
  proto.set_epoch(checkpoint.epoch);
  proto.set_folder(checkpoint.folder);
  proto.set_digest(checkpoint.digest);
  proto.set_bytes(checkpoint.bytes);
  if (checkpoint.score) proto.set_score(*checkpoint.score);
  proto.set_pinned(checkpoint.pinned);
  SetTime(checkpoint.accepted, proto.mutable_accepted());
  return proto;
}

pb::BadCheckpoint ToProto(const BadCheckpoint& bad) {
  pb::BadCheckpoint proto;
  proto.set_step(bad.step);
  proto.set_attempt(bad.attempt);
  proto.set_why(bad.why);
  SetTime(bad.found, proto.mutable_found());
  return proto;
}

pb::ArtifactFile ToProto(const ArtifactFile& file) {
  pb::ArtifactFile proto;
  proto.set_name(file.name);
  proto.set_bytes(file.bytes);
  proto.set_sha256(file.sha256);
  return proto;
}

}  // namespace fpo
