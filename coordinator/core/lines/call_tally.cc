#include "coordinator/core/lines/call_tally.h"

#include "absl/strings/str_cat.h"

namespace fpo::coordinator {
namespace {

constexpr absl::Duration kTallyTime = absl::Hours(1);
constexpr size_t kCallersMax = 1000;
constexpr char kOthers[] = "others";

}  // namespace

bool CallTally::Takes(const std::string& who, int64_t entries_max, const AuditEntry& entry) {
  const bool known = hours_.count(who) > 0 || hours_.size() < kCallersMax;
  Hour& hour = hours_[known ? who : kOthers];
  if (hour.entries == 0) hour.begun = entry.time;
  if (hour.entries < entries_max) {
    ++hour.entries;
    return true;
  }
  ++hour.more;
  hour.last = entry;
  return false;
}

std::vector<AuditEntry> CallTally::TakeEnded(absl::Time now) {
  std::vector<AuditEntry> ended;
  for (auto it = hours_.begin(); it != hours_.end();) {
    const absl::Duration age = now - it->second.begun;
    // A clock that was set back ends it, too.
    if (age >= absl::ZeroDuration() && age < kTallyTime) {
      ++it;
      continue;
    }
    if (it->second.more > 0) {
      AuditEntry entry = it->second.last;
      entry.who = it->first;
      entry.detail = absl::StrCat(it->second.more, " more such calls in the hour from ",
                                  absl::FormatTime(it->second.begun, absl::UTCTimeZone()),
                                  "; the last: ", entry.detail);
      ended.push_back(std::move(entry));
    }
    it = hours_.erase(it);
  }
  return ended;
}

std::string HostOfPeer(const std::string& peer) {
  const size_t colon = peer.rfind(':');
  return colon == std::string::npos || peer.find(':') == colon ? peer : peer.substr(0, colon);
}

}  // namespace fpo::coordinator
