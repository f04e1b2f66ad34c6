#include "ctl/jobs/sweep_runs.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/error_info.h"
#include "common/job/job_yaml.h"
#include "common/status_macros.h"
#include "ctl/command_line/exit_code.h"

namespace fpo::ctl {
namespace {

constexpr char kRunExample[] = "dpo: {method.name: dpo, method.beta: 0.1}";

bool IsRunName(const std::string& name) {
  return !name.empty() && name.front() != '-' && name.back() != '-' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
         });
}

JobRun RunOf(const JobMember& member, const std::string& file, std::vector<JobProblem>* problems) {
  const auto complain = [&](int line, const std::string& key, std::string message) {
    problems->push_back({line, key, std::move(message)});
  };
  JobRun run{member.name, file, member.node.line, {}};
  if (!IsRunName(run.name)) {
    complain(run.line, run.name, "a run's name is of a-z, 0-9 and -, e.g. dpo or alpha-0-5");
  }
  if (member.node.kind == JobNode::Kind::kNull) return run;
  if (member.node.kind != JobNode::Kind::kMap) {
    complain(run.line, run.name,
             absl::StrCat("must be the keys that the run changes, not ", member.node.KindName(),
                          "; e.g. ", kRunExample));
    return run;
  }
  for (const JobMember& change : member.node.members) {
    if (change.name == "name" || change.name == "output") {
      complain(change.node.line, absl::StrCat(run.name, ".", change.name),
               "follows from the run's name; change it in the job file");
    }
    run.changes.push_back({change.name, change.node});
  }
  return run;
}

absl::Status NotRuns(std::vector<JobProblem> problems, const std::string& file) {
  std::stable_sort(problems.begin(), problems.end(),
                   [](const JobProblem& a, const JobProblem& b) { return a.line < b.line; });
  std::vector<std::string> lines;
  for (const JobProblem& problem : problems) lines.push_back(ProblemLine(problem, file));
  return WithErrorInfo(absl::InvalidArgumentError(absl::StrJoin(lines, "\n")),
                       {.reason = ErrorReason::kInvalidJob, .field = problems.front().key});
}

// One is the other or a part of it.
bool Overlap(absl::string_view a, absl::string_view b) {
  return a == b || absl::StartsWith(a, absl::StrCat(b, ".")) ||
         absl::StartsWith(b, absl::StrCat(a, "."));
}

}  // namespace

absl::StatusOr<std::vector<JobRun>> ParseSweepRuns(absl::string_view text,
                                                   const std::string& file) {
  std::vector<JobProblem> problems;
  absl::StatusOr<JobNode> root = ParseJobYaml(text, &problems);
  if (!root.ok()) return NotRuns({{1, "", std::string(root.status().message())}}, file);
  std::vector<JobRun> runs;
  for (const JobMember& member : root->members) runs.push_back(RunOf(member, file, &problems));
  if (problems.empty() && runs.empty()) {
    problems.push_back({1, "", absl::StrCat("names no run; a line a run, e.g. ", kRunExample)});
  }
  if (!problems.empty()) return NotRuns(std::move(problems), file);
  return runs;
}

absl::StatusOr<std::vector<JobRun>> ReadSweepRuns(const std::string& path) {
  absl::StatusOr<std::string> text = ReadJobText(path);
  if (text.ok()) return ParseSweepRuns(*text, path);
  const absl::Status& status = text.status();
  return WithErrorInfo(
      absl::Status(status.code(),
                   absl::StrCat("the file of runs ", path, " cannot be read: ", status.message())),
      {.reason = ErrorReason::kFileUnreadable, .hint = "fpoctl sweep --help"});
}

absl::Status CheckRunsAreAlone(const std::vector<JobRun>& runs,
                               const std::vector<std::string>& others) {
  for (const std::string& other : others) {
    const std::string key = other.substr(0, other.find('='));
    for (const JobRun& run : runs) {
      for (const JobRun::Change& change : run.changes) {
        if (!Overlap(key, change.key)) continue;
        return UsageError(absl::StrCat("sweep: ", key, " is set here, and the run ", run.name, " (",
                                       run.file, ":", run.line, ") sets ", change.key,
                                       "; which one counts would be a guess: leave one out"),
                          "fpoctl sweep --help");
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace fpo::ctl
