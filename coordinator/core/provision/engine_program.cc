#include "coordinator/core/provision/engine_program.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/text/utf8.h"

namespace fpo::coordinator {

absl::StatusOr<std::string> AskProgram(const ProgramRunner& run, const ProvisionPool& pool,
                                       const EngineCall& call) {
  ProgramRun program;
  program.argv = call.argv;
  program.input = call.input;
  program.answer_time = pool.answer_time;
  absl::StatusOr<ProgramEnd> end = run(program);
  if (!end.ok()) {
    const absl::Status& why = end.status();
    const bool never_ran = absl::IsNotFound(why) || absl::IsPermissionDenied(why);
    if (never_ran) return absl::FailedPreconditionError(why.message());
    return absl::IsDeadlineExceeded(why) ? why : absl::UnavailableError(why.message());
  }
  if (end->exit_code == 0) return std::move(end->out);
  const std::string said(absl::StripAsciiWhitespace(end->err.empty() ? end->out : end->err));
  const std::string what = absl::StrCat(call.argv[0], " ended with ", end->exit_code,
                                        said.empty() ? "" : ": ", ShortText(said));
  const bool killed = end->exit_code >= 128;
  if (call.may_refuse && !killed) return absl::FailedPreconditionError(what);
  return absl::UnavailableError(what);
}

}  // namespace fpo::coordinator
