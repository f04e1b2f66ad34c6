#pragma once

#include <deque>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "common/process/program_run.h"

namespace fpo::coordinator {

// Programs that answer what a test told them to, in this order.
class FakePrograms {
 public:
  void Answer(const std::string& out, int code = 0, const std::string& err = "") {
    answers_.push_back(ProgramEnd{code, out, err});
  }
  void Fail(const absl::Status& status) { answers_.push_back(status); }

  ProgramRunner Runner() {
    return [this](const ProgramRun& run) -> absl::StatusOr<ProgramEnd> {
      lines.push_back(absl::StrJoin(run.argv, " "));
      inputs.push_back(run.input);
      if (answers_.empty()) return absl::InternalError("nobody expected this call");
      auto answer = answers_.front();
      answers_.pop_front();
      return answer;
    };
  }

  std::vector<std::string> lines;
  std::vector<std::string> inputs;

 private:
  std::deque<absl::StatusOr<ProgramEnd>> answers_;
};

}  // namespace fpo::coordinator
