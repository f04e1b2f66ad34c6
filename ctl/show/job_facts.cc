#include "ctl/show/job_facts.h"

#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/wire/enums.h"
#include "common/wire/wire_time.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;
using Json = nlohmann::json;

const Json& Member(const Json& object, const char* key) {
  static const Json kNull;
  const auto found = object.find(key);
  return object.is_object() && found != object.end() ? *found : kNull;
}

std::string Text(const Json& value) { return value.is_string() ? value.get<std::string>() : ""; }

}  // namespace

bool IsTerminal(const pb::Job& job) {
  const std::optional<JobState> state = FromProto(job.state());
  return state && fpo::IsTerminal(*state);
}

int AttemptNumber(const pb::Job& job) {
  return job.attempts().empty() ? 0 : job.attempts().rbegin()->number();
}

std::string KindText(const pb::Job& job, absl::string_view separator) {
  const absl::string_view kind = TextOf(job.kind());
  return job.method().empty() ? std::string(kind) : absl::StrCat(kind, separator, job.method());
}

std::string LabelsText(const google::protobuf::Map<std::string, std::string>& labels,
                       absl::string_view separator) {
  return absl::StrJoin(std::map(labels.begin(), labels.end()), separator, absl::PairFormatter("="));
}

std::string SlotsText(const pb::Job& job) {
  if (job.slots_held() == 0 || job.slots_held() == job.slots()) return absl::StrCat(job.slots());
  return absl::StrCat(job.slots_held(), "/", job.slots());
}

bool UsesCache(const pb::Job& job) { return job.progress().cache().records_total() > 0; }

JobConfigFacts ConfigFactsOf(const pb::Job& job) {
  JobConfigFacts facts;
  const Json config = Json::parse(job.spec().config_json(), nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) return facts;
  facts.output = Text(Member(config, "output"));
  facts.model = Text(Member(Member(config, "model"), "path"));
  facts.has_reference = job.kind() != pb::JOB_KIND_SAE &&
                        Text(Member(Member(config, "reference"), "source")) == "cached";
  return facts;
}

std::optional<absl::Time> TimeIf(bool present, const google::protobuf::Timestamp& time) {
  if (!present) return std::nullopt;
  return TimeOf(time);
}

}  // namespace fpo::ctl
