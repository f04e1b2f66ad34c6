#include "coordinator/core/store/job_codec.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "coordinator/core/store/json_codec.h"

namespace fpo::coordinator {
namespace {

Json FromOptionalTime(const std::optional<absl::Time>& time) {
  if (!time) return nullptr;
  return absl::ToUnixMicros(*time);
}
std::optional<absl::Time> ToOptionalTime(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return absl::FromUnixMicros(json.get<int64_t>());
}

// JSON has no NaN or infinities, a diverging loss has.
Json FromNumber(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}
double ToNumber(const Json& json) {
  if (json.is_number()) return json.get<double>();
  if (json == "inf") return std::numeric_limits<double>::infinity();
  if (json == "-inf") return -std::numeric_limits<double>::infinity();
  return std::numeric_limits<double>::quiet_NaN();
}
Json FromNumbers(const std::map<std::string, double>& numbers) {
  Json json = Json::object();
  for (const auto& [name, value] : numbers) json[name] = FromNumber(value);
  return json;
}
std::map<std::string, double> ToNumbers(const Json& json) {
  std::map<std::string, double> numbers;
  for (const auto& [name, value] : json.items()) numbers[name] = ToNumber(value);
  return numbers;
}

// Reads a member when it is there; throws a type error for a wrong one.
template <typename T>
void Read(const Json& json, const char* name, T* value) {
  const Json& member = At(json, name);
  if (!member.is_null()) member.get_to(*value);
}

// The name of an enum's value; "" and unknown ones read as none.
template <typename Enum>
void ReadName(const Json& json, const char* name, std::optional<Enum>* value) {
  std::string text;
  Read(json, name, &text);
  *value = FromName<Enum>(text);
}
// A number, that of the phase.
Phase ToPhaseReached(const Json& json) {
  const int number = json.is_null() ? 0 : json.get<int>();
  return static_cast<Phase>(std::clamp(number, 0, static_cast<int>(kEnumSize<Phase>) - 1));
}

Json ToJson(const CacheUse& c) {
  return {{"records_total", c.records_total},
          {"records_hit", c.records_hit},
          {"records_computed", c.records_computed},
          {"manifest_id", c.manifest_id},
          {"recipe_id", c.recipe_id},
          {"reference_seconds", c.reference_seconds},
          {"saved_seconds", c.saved_seconds},
          {"saved_flops", c.saved_flops}};
}
CacheUse ToCacheUse(const Json& json) {
  CacheUse c;
  Read(json, "records_total", &c.records_total);
  Read(json, "records_hit", &c.records_hit);
  Read(json, "records_computed", &c.records_computed);
  Read(json, "manifest_id", &c.manifest_id);
  Read(json, "recipe_id", &c.recipe_id);
  Read(json, "reference_seconds", &c.reference_seconds);
  Read(json, "saved_seconds", &c.saved_seconds);
  Read(json, "saved_flops", &c.saved_flops);
  return c;
}

Json ToJson(const Member& m) {
  return {{"worker", m.worker},
          {"instance", m.instance},
          {"slots", m.slots},
          {"first_rank", m.first_rank},
          {"state", static_cast<int>(m.state)},
          {"cache", ToJson(m.cache)},
          {"prepared", m.prepared},
          {"home", m.home}};
}
Member ToMember(const Json& json) {
  Member m;
  Read(json, "worker", &m.worker);
  Read(json, "instance", &m.instance);
  Read(json, "slots", &m.slots);
  Read(json, "first_rank", &m.first_rank);
  int state = static_cast<int>(MemberState::kGone);
  Read(json, "state", &state);
  m.state = static_cast<MemberState>(state);
  if (json.contains("cache")) m.cache = ToCacheUse(At(json, "cache"));
  Read(json, "prepared", &m.prepared);
  Read(json, "home", &m.home);
  return m;
}

Json ToJson(const Attempt& a) {
  Json members = Json::array();
  for (const Member& member : a.members) members.push_back(ToJson(member));
  return {{"number", a.number},
          {"epoch", a.epoch},
          {"members", members},
          {"rendezvous_port", a.rendezvous_port},
          {"started", FromTime(a.started)},
          {"ended", FromOptionalTime(a.ended)},
          {"end_class", std::string(Name(a.end_class))},
          {"end_message", a.end_message},
          {"end_step", a.end_step},
          {"last_error", a.last_error},
          {"progressed", a.progressed},
          {"cache", ToJson(a.cache)}};
}
Attempt ToAttempt(const Json& json) {
  Attempt a;
  Read(json, "number", &a.number);
  Read(json, "epoch", &a.epoch);
  for (const Json& member : At(json, "members")) a.members.push_back(ToMember(member));
  if (json.contains("rendezvous_port")) Read(json, "rendezvous_port", &a.rendezvous_port);
  a.started = ToTime(At(json, "started"));
  a.ended = ToOptionalTime(At(json, "ended"));
  ReadName(json, "end_class", &a.end_class);
  Read(json, "end_message", &a.end_message);
  Read(json, "end_step", &a.end_step);
  Read(json, "last_error", &a.last_error);
  Read(json, "progressed", &a.progressed);
  if (json.contains("cache")) a.cache = ToCacheUse(At(json, "cache"));
  return a;
}

Json ToJson(const Progress& p) {
  return {{"phase", std::string(Name(p.phase))},
          {"done", p.done},
          {"total", p.total},
          {"unit", p.unit},
          {"activity", p.activity},
          {"step", p.step},
          {"total_steps", p.total_steps},
          {"metrics", FromNumbers(p.metrics)},
          {"cache", ToJson(p.cache)},
          {"updated", FromTime(p.updated)}};
}
Progress ToProgress(const Json& json) {
  Progress p;
  ReadName(json, "phase", &p.phase);
  Read(json, "done", &p.done);
  Read(json, "total", &p.total);
  Read(json, "unit", &p.unit);
  if (json.contains("activity")) Read(json, "activity", &p.activity);
  Read(json, "step", &p.step);
  Read(json, "total_steps", &p.total_steps);
  p.metrics = ToNumbers(At(json, "metrics"));
  p.cache = ToCacheUse(At(json, "cache"));
  p.updated = ToTime(At(json, "updated"));
  return p;
}

Json ToJson(const JobDemand& d) {
  return {{"slots", d.slots},
          {"priority", d.priority},
          {"max_restarts", d.max_restarts},
          {"retry_on_oom", d.retry_on_oom},
          {"queue", d.queue},
          {"require", d.require},
          {"keep_last", d.keep_last},
          {"keep_best", d.keep_best},
          {"data_key", d.data_key}};
}
JobDemand ToDemand(const Json& json) {
  JobDemand d;
  Read(json, "slots", &d.slots);
  Read(json, "priority", &d.priority);
  Read(json, "max_restarts", &d.max_restarts);
  Read(json, "retry_on_oom", &d.retry_on_oom);
  Read(json, "queue", &d.queue);
  Read(json, "require", &d.require);
  Read(json, "keep_last", &d.keep_last);
  Read(json, "keep_best", &d.keep_best);
  Read(json, "data_key", &d.data_key);
  return d;
}

Json ToJson(const Checkpoint& c) {
  return {{"step", c.step},
          {"attempt", c.attempt},
          {"epoch", c.epoch},
          {"folder", c.folder},
          {"digest", c.digest},
          {"bytes", c.bytes},
          {"score", c.score ? FromNumber(*c.score) : Json()},
          {"pinned", c.pinned},
          {"accepted", FromTime(c.accepted)}};
}
Checkpoint ToCheckpoint(const Json& json) {
  Checkpoint c;
  Read(json, "step", &c.step);
  Read(json, "attempt", &c.attempt);
  Read(json, "epoch", &c.epoch);
  Read(json, "folder", &c.folder);
  Read(json, "digest", &c.digest);
  Read(json, "bytes", &c.bytes);
  if (const Json& score = At(json, "score"); !score.is_null()) c.score = ToNumber(score);
  Read(json, "pinned", &c.pinned);
  c.accepted = ToTime(At(json, "accepted"));
  return c;
}

Json ToJson(const BadCheckpoint& b) {
  return {{"step", b.step}, {"attempt", b.attempt}, {"why", b.why}, {"found", FromTime(b.found)}};
}
BadCheckpoint ToBadCheckpoint(const Json& json) {
  BadCheckpoint b;
  Read(json, "step", &b.step);
  Read(json, "attempt", &b.attempt);
  Read(json, "why", &b.why);
  b.found = ToTime(At(json, "found"));
  return b;
}

Json ToJson(const Job& j) {
  Json checkpoints = Json::array();
  for (const Checkpoint& checkpoint : j.checkpoints) checkpoints.push_back(ToJson(checkpoint));
  Json bad = Json::array();
  for (const BadCheckpoint& checkpoint : j.bad_checkpoints) bad.push_back(ToJson(checkpoint));
  Json attempts = Json::array();
  for (const Attempt& attempt : j.attempts) attempts.push_back(ToJson(attempt));
  return {{"job_id", j.job_id},
          {"name", j.name},
          {"owner", j.owner},
          {"kind", std::string(Name(j.kind))},
          {"method", j.method},
          {"demand", ToJson(j.demand)},
          {"labels", j.labels},
          {"after_ok", j.after_ok},
          {"after_end", j.after_end},
          {"retry_of", j.retry_of},
          {"state", std::string(Name(j.state))},
          {"reason", j.reason},
          {"epoch", j.epoch},
          {"attempts", attempts},
          {"restarts_used", j.restarts_used},
          {"attempts_without_progress", j.attempts_without_progress},
          {"requeues", j.requeues},
          {"not_before", FromTime(j.not_before)},
          {"stop_by", FromTime(j.stop_by)},
          {"host_faults", j.host_faults},
          {"unready_hosts", j.unready_hosts},
          {"checkpoint_step", j.checkpoint_step},
          {"checkpoints", checkpoints},
          {"bad_checkpoints", bad},
          {"phase_reached", static_cast<int>(j.phase_reached)},
          {"reference_records", j.reference_records},
          {"progress", ToJson(j.progress)},
          {"result", FromNumbers(j.result)},
          {"submitted", FromTime(j.submitted)},
          {"state_since", FromTime(j.state_since)},
          {"started", FromOptionalTime(j.started)},
          {"ended", FromOptionalTime(j.ended)},
          {"revision", j.revision}};
}
Job ToJob(const Json& json) {
  Job j;
  Read(json, "job_id", &j.job_id);
  Read(json, "name", &j.name);
  Read(json, "owner", &j.owner);
  ReadName(json, "kind", &j.kind);
  Read(json, "method", &j.method);
  j.demand = ToDemand(At(json, "demand"));
  Read(json, "labels", &j.labels);
  Read(json, "after_ok", &j.after_ok);
  Read(json, "after_end", &j.after_end);
  Read(json, "retry_of", &j.retry_of);
  const std::optional<JobState> state =
      FromName<JobState>(json.at("state").get_ref<const std::string&>());
  // A state of a newer program: better no start than a wrong one.
  if (!state) throw std::invalid_argument("unknown state " + json.at("state").dump());
  j.state = *state;
  Read(json, "reason", &j.reason);
  Read(json, "epoch", &j.epoch);
  for (const Json& attempt : At(json, "attempts")) j.attempts.push_back(ToAttempt(attempt));
  Read(json, "restarts_used", &j.restarts_used);
  Read(json, "attempts_without_progress", &j.attempts_without_progress);
  Read(json, "requeues", &j.requeues);
  j.not_before = ToTime(At(json, "not_before"));
  j.stop_by = ToTime(At(json, "stop_by"));
  Read(json, "host_faults", &j.host_faults);
  Read(json, "unready_hosts", &j.unready_hosts);
  Read(json, "checkpoint_step", &j.checkpoint_step);
  for (const Json& c : At(json, "checkpoints")) j.checkpoints.push_back(ToCheckpoint(c));
  for (const Json& c : At(json, "bad_checkpoints")) j.bad_checkpoints.push_back(ToBadCheckpoint(c));
  j.phase_reached = ToPhaseReached(At(json, "phase_reached"));
  Read(json, "reference_records", &j.reference_records);
  j.progress = ToProgress(At(json, "progress"));
  j.result = ToNumbers(At(json, "result"));
  j.submitted = ToTime(At(json, "submitted"));
  j.state_since = ToTime(At(json, "state_since"));
  j.started = ToOptionalTime(At(json, "started"));
  j.ended = ToOptionalTime(At(json, "ended"));
  Read(json, "revision", &j.revision);
  return j;
}

}  // namespace

std::string EncodeJob(const Job& job) { return Dump(ToJson(job)); }
absl::StatusOr<Job> DecodeJob(absl::string_view bytes) { return Parse(bytes, "job", ToJob); }

}  // namespace fpo::coordinator
