#include "coordinator/core/store/job_codec.h"

#include <optional>

#include "coordinator/core/store/stored_fields.h"

namespace fpo::coordinator {

void Fields(auto& archive, MaybeConst<CacheUse> auto& c) {
  archive("records_total", c.records_total);
  archive("records_hit", c.records_hit);
  archive("records_computed", c.records_computed);
  archive("manifest_id", c.manifest_id);
  archive("recipe_id", c.recipe_id);
  archive("reference_seconds", c.reference_seconds);
  archive("saved_seconds", c.saved_seconds);
  archive("saved_flops", c.saved_flops);
}

void Fields(auto& archive, MaybeConst<Member> auto& m) {
  archive("worker", m.worker);
  archive("instance", m.instance);
  archive("slots", m.slots);
  archive("first_rank", m.first_rank);
  archive.Number("state", m.state, std::optional(MemberState::kGone));
  archive("cache", m.cache);
  archive("prepared", m.prepared);
  archive("home", m.home);
}

void Fields(auto& archive, MaybeConst<Attempt> auto& a) {
  archive("number", a.number);
  archive("epoch", a.epoch);
  archive("members", a.members);
  archive("rendezvous_port", a.rendezvous_port);
  archive("started", a.started);
  archive("ended", a.ended);
  archive("end_class", a.end_class);
  archive("end_message", a.end_message);
  archive("end_step", a.end_step);
  archive("last_error", a.last_error);
  archive("progressed", a.progressed);
  archive("lost_worker", a.lost_worker);
  archive("cache", a.cache);
}

void Fields(auto& archive, MaybeConst<Progress> auto& p) {
  archive("phase", p.phase);
  archive("done", p.done);
  archive("total", p.total);
  archive("unit", p.unit);
  archive("activity", p.activity);
  archive("step", p.step);
  archive("total_steps", p.total_steps);
  archive("metrics", p.metrics);
  archive("cache", p.cache);
  archive("updated", p.updated);
}

void Fields(auto& archive, MaybeConst<JobDemand> auto& d) {
  archive("slots", d.slots);
  archive("min_slots", d.min_slots);
  archive("priority", d.priority);
  archive("max_restarts", d.max_restarts);
  archive("retry_on_oom", d.retry_on_oom);
  archive("queue", d.queue);
  archive("require", d.require);
  archive("keep_last", d.keep_last);
  archive("keep_best", d.keep_best);
  archive("data_key", d.data_key);
  archive("output", d.output);
  archive("config_bytes", d.config_bytes);
}

void Fields(auto& archive, MaybeConst<Checkpoint> auto& c) {
  archive("step", c.step);
  archive("attempt", c.attempt);
  archive("epoch", c.epoch);
  archive("folder", c.folder);
  archive("digest", c.digest);
  archive("bytes", c.bytes);
  archive("score", c.score);
  archive("pinned", c.pinned);
  archive("accepted", c.accepted);
}

void Fields(auto& archive, MaybeConst<BadCheckpoint> auto& b) {
  archive("step", b.step);
  archive("attempt", b.attempt);
  archive("why", b.why);
  archive("found", b.found);
}

void Fields(auto& archive, MaybeConst<Job> auto& j) {
  archive("job_id", j.job_id);
  archive("name", j.name);
  archive("owner", j.owner);
  archive("kind", j.kind);
  archive("method", j.method);
  archive("demand", j.demand);
  archive("labels", j.labels);
  archive("after_ok", j.after_ok);
  archive("after_end", j.after_end);
  archive("retry_of", j.retry_of);
  archive("trace_id", j.trace.trace_id);
  archive("trace_span_id", j.trace.span_id);
  archive("trace_sampled", j.trace.sampled);
  // A state of a newer program: better no start than a wrong one.
  archive.Required("state", j.state);
  archive("reason", j.reason);
  archive("epoch", j.epoch);
  archive("attempts", j.attempts);
  archive("restarts_used", j.restarts_used);
  archive("attempts_without_progress", j.attempts_without_progress);
  archive("requeues", j.requeues);
  archive("not_before", j.not_before);
  archive("stop_by", j.stop_by);
  archive("host_faults", j.host_faults);
  archive("unready_hosts", j.unready_hosts);
  archive("checkpoint_step", j.checkpoint_step);
  archive("checkpoints", j.checkpoints);
  archive("bad_checkpoints", j.bad_checkpoints);
  archive.Number("phase_reached", j.phase_reached, std::optional(Phase::kPrepare));
  archive("reference_records", j.reference_records);
  archive("progress", j.progress);
  archive("result", j.result);
  archive("result_texts", j.result_texts);
  archive("submitted", j.submitted);
  archive("state_since", j.state_since);
  archive("started", j.started);
  archive("ended", j.ended);
  archive("revision", j.revision);
}

std::string EncodeJob(const Job& job) { return EncodeObject(job); }
absl::StatusOr<Job> DecodeJob(absl::string_view bytes) { return DecodeObject<Job>(bytes, "job"); }

}  // namespace fpo::coordinator
