#include "tests/chaos/transition_check.h"

#include <cstdint>
#include <map>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace fpo::testing {
namespace {

using nlohmann::json;
using States = std::set<std::string>;

// One event may take a job through several rows of the table, so what follows at once is allowed
// too: a gang of one that is told to stop and has no process left goes straight on.
const std::map<std::string, States>& Legal() {
  static const auto& legal = *new std::map<std::string, States>{
      {"HELD", {"QUEUED", "CANCELLED", "FAILED"}},
      {"QUEUED", {"HELD", "RESERVED", "CANCELLED", "FAILED"}},
      {"RESERVED",
       {"STARTING", "RUNNING", "QUEUED", "RECOVERING", "SUCCEEDED", "FAILED", "CANCELLING",
        "CANCELLED", "PAUSING", "PAUSED", "PREEMPTING"}},
      {"STARTING",
       {"RUNNING", "QUEUED", "RECOVERING", "SUCCEEDED", "FAILED", "CANCELLING", "CANCELLED",
        "PAUSING", "PAUSED", "PREEMPTING"}},
      {"RUNNING",
       {"QUEUED", "RECOVERING", "SUCCEEDED", "FAILED", "CANCELLING", "CANCELLED", "PAUSING",
        "PAUSED", "PREEMPTING"}},
      {"RECOVERING", {"QUEUED", "FAILED", "CANCELLING", "CANCELLED"}},
      {"PAUSING", {"PAUSED", "SUCCEEDED", "CANCELLING", "CANCELLED"}},
      {"PAUSED", {"QUEUED", "CANCELLED"}},
      {"PREEMPTING", {"QUEUED", "SUCCEEDED", "PAUSING", "PAUSED", "CANCELLING", "CANCELLED"}},
      {"CANCELLING", {"CANCELLED"}},
      {"SUCCEEDED", {}},
      {"FAILED", {}},
      {"CANCELLED", {}}};
  return legal;
}

bool CanReach(const std::string& from, const std::string& to) {
  States seen = {from};
  std::vector<std::string> open = {from};
  while (!open.empty()) {
    const std::string state = open.back();
    open.pop_back();
    if (state == to) return true;
    const auto next = Legal().find(state);
    if (next == Legal().end()) continue;
    for (const std::string& each : next->second) {
      if (seen.insert(each).second) open.push_back(each);
    }
  }
  return false;
}

struct Past {
  std::string state;
  uint64_t epoch = 0;
  int start = 0;  // of the coordinator that said so
};

struct Change {
  std::string job, from, to;
  uint64_t epoch = 0;
};

std::string Judge(const Change& change, const Past* past, int start) {
  const std::string told = absl::StrCat(change.job, ": ", change.from, " -> ", change.to);
  const auto legal = Legal().find(change.from);
  if (legal == Legal().end()) return absl::StrCat(told, ": an unknown state");
  if (legal->second.count(change.to) == 0) return absl::StrCat(told, ": not in the table");
  if (past == nullptr) return "";
  if (change.epoch < past->epoch) {
    return absl::StrCat(told, ": the epoch went back from ", past->epoch, " to ", change.epoch);
  }
  if (change.from == past->state) return "";
  if (past->start == start) return absl::StrCat(told, " after it was ", past->state);
  if (!CanReach(past->state, change.from)) {
    return absl::StrCat(told, " after a restart, before which it was ", past->state);
  }
  return "";
}

}  // namespace

std::vector<std::string> CheckTransitions(const std::string& coordinator_log, int* changes) {
  std::vector<std::string> wrong;
  std::map<std::string, Past> pasts;
  int start = 0, count = 0;
  std::istringstream lines(coordinator_log);
  for (std::string line; std::getline(lines, line);) {
    const json entry = json::parse(line, nullptr, false);
    if (!entry.is_object()) continue;  // torn by a kill
    const std::string message = entry.value("message", "");
    if (message == "listening") ++start;
    const size_t arrow = message.find(" -> ");
    if (arrow == std::string::npos || !entry.contains("job") || !entry.contains("epoch")) continue;
    const Change change{entry["job"], message.substr(0, arrow), message.substr(arrow + 4),
                        std::stoull(entry["epoch"].get<std::string>())};
    ++count;
    const auto past = pasts.find(change.job);
    const std::string said = Judge(change, past == pasts.end() ? nullptr : &past->second, start);
    if (!said.empty()) wrong.push_back(said);
    pasts[change.job] = {change.to, change.epoch, start};
  }
  if (changes != nullptr) *changes = count;
  return wrong;
}

}  // namespace fpo::testing
