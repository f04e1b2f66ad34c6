#include "coordinator/core/scheduling/slot_quota.h"

#include <array>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace fpo::coordinator {
namespace {

using Key = std::pair<QuotaRule::Of, std::string>;

std::array<Key, 2> KeysOf(const Job& job) {
  return {Key(QuotaRule::Of::kOwner, job.owner), Key(QuotaRule::Of::kQueue, job.demand.queue)};
}

std::string NameOf(const Key& key) {
  return absl::StrCat(key.first == QuotaRule::Of::kOwner ? "owner " : "queue ", key.second);
}

}  // namespace

absl::StatusOr<QuotaRule> ParseQuotaRule(absl::string_view text) {
  const size_t colon = text.find(':');
  const size_t equals = text.rfind('=');
  QuotaRule rule;
  const absl::string_view of = text.substr(0, colon);
  const bool shaped = colon != absl::string_view::npos && equals != absl::string_view::npos &&
                      equals > colon + 1 && (of == "owner" || of == "queue");
  if (!shaped || !absl::SimpleAtoi(text.substr(equals + 1), &rule.slots) || rule.slots < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("quota \"", text,
                     "\" must be owner:NAME=SLOTS or queue:NAME=SLOTS; NAME * is everyone else"));
  }
  rule.of = of == "owner" ? QuotaRule::Of::kOwner : QuotaRule::Of::kQueue;
  rule.name = std::string(text.substr(colon + 1, equals - colon - 1));
  return rule;
}

SlotQuota::SlotQuota(const std::vector<QuotaRule>& rules) {
  for (const QuotaRule& rule : rules) limits_[{rule.of, rule.name}] = rule.slots;
}

std::optional<int32_t> SlotQuota::LimitOf(const Key& key) const {
  auto limit = limits_.find(key);
  if (limit == limits_.end()) limit = limits_.find({key.first, "*"});
  if (limit == limits_.end()) return std::nullopt;
  return limit->second;
}

void SlotQuota::Use(const Job& job, int32_t slots) {
  for (const Key& key : KeysOf(job)) used_[key] += slots;
}

std::optional<std::string> SlotQuota::Refusal(const Job& job) const {
  return Refusal(job, job.demand.slots);
}

std::optional<std::string> SlotQuota::Refusal(const Job& job, int32_t slots) const {
  for (const Key& key : KeysOf(job)) {
    const std::optional<int32_t> limit = LimitOf(key);
    const auto found = used_.find(key);
    const int32_t used = found == used_.end() ? 0 : found->second;
    if (!limit || used + slots <= *limit) continue;
    return absl::StrCat("quota: ", NameOf(key), " uses ", used, " of ", *limit,
                        " slots, the job needs ", slots);
  }
  return std::nullopt;
}

bool SlotQuota::NeverFits(const Job& job) const {
  for (const Key& key : KeysOf(job)) {
    const std::optional<int32_t> limit = LimitOf(key);
    if (limit && job.demand.slots > *limit) return true;
  }
  return false;
}

}  // namespace fpo::coordinator
