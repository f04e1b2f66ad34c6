#include "ctl/command_line/invocation.h"

#include "absl/strings/numbers.h"
#include "common/text/duration_text.h"

namespace fpo::ctl {

bool Invocation::Has(const std::string& name) const { return values.count(name) > 0; }

std::string Invocation::Get(const std::string& name) const {
  const auto found = values.find(name);
  return found == values.end() || found->second.empty() ? "" : found->second.back();
}

std::vector<std::string> Invocation::GetAll(const std::string& name) const {
  const auto found = values.find(name);
  return found == values.end() ? std::vector<std::string>() : found->second;
}

int64_t Invocation::GetCount(const std::string& name, int64_t fallback) const {
  int64_t count = 0;
  return absl::SimpleAtoi(Get(name), &count) ? count : fallback;
}

std::optional<absl::Duration> Invocation::GetDuration(const std::string& name) const {
  const absl::StatusOr<absl::Duration> duration = ParseDurationText(Get(name));
  if (!Has(name) || !duration.ok()) return std::nullopt;
  return *duration;
}

}  // namespace fpo::ctl
