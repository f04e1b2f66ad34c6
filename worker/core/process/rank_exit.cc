#include "worker/core/process/rank_exit.h"

#include <signal.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/train_protocol.h"

namespace fpo::worker {
namespace {

struct CodeMeaning {
  ExitCode code;
  EndClass end_class;
  const char* text;
};

constexpr CodeMeaning kMeanings[] = {
    {ExitCode::kDone, EndClass::kDone, "done"},
    {ExitCode::kBug, EndClass::kProgram, "internal error"},
    // The agent writes the command line, so its fpo-train is of another build.
    {ExitCode::kUsage, EndClass::kInfrastructure, "wrong command line"},
    {ExitCode::kInvalid, EndClass::kInvalid, "config or data invalid"},
    {ExitCode::kForeignCache, EndClass::kInvalid, "reference records of another model"},
    {ExitCode::kOutOfMemory, EndClass::kMemory, "out of memory"},
    {ExitCode::kPeerLost, EndClass::kInfrastructure, "lost contact with another rank"},
    {ExitCode::kStopped, EndClass::kAsked, "stopped on request"},
    {ExitCode::kNotFinite, EndClass::kProgram, "numbers are not finite"},
    {ExitCode::kStorage, EndClass::kInfrastructure, "storage failed"},
    {ExitCode::kDevice, EndClass::kInfrastructure, "device missing or broken"},
    {ExitCode::kContract, EndClass::kInvalid, "a feature contract is broken"},
};

const CodeMeaning* Find(int code) {
  for (const CodeMeaning& meaning : kMeanings) {
    if (static_cast<int>(meaning.code) == code) return &meaning;
  }
  return nullptr;
}

EndClass SignalClass(const RankExit& exit) {
  switch (exit.signal) {
    case SIGSEGV:
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGSYS:
    case SIGTRAP:
      return EndClass::kProgram;
    default:  // sent from outside: the rank itself did nothing wrong
      return EndClass::kInfrastructure;
  }
}

}  // namespace

EndClass EndClassOf(const RankExit& exit) {
  if (!exit.ended) return EndClass::kInfrastructure;
  if (exit.signal == 0 && exit.code == 0) return EndClass::kDone;
  if (exit.stopped) return EndClass::kAsked;
  // Also when another process of the rank was killed and took the rank with it.
  if (exit.out_of_memory) return EndClass::kMemory;
  if (exit.signal != 0) return SignalClass(exit);
  const CodeMeaning* meaning = Find(exit.code);
  // Exit 7 without a request from the agent: someone else sent the rank SIGTERM.
  if (exit.code == static_cast<int>(ExitCode::kStopped)) return EndClass::kInfrastructure;
  return meaning == nullptr ? EndClass::kProgram : meaning->end_class;
}

bool IsDeviceFault(const RankExit& exit) {
  return exit.ended && exit.signal == 0 && exit.code == static_cast<int>(ExitCode::kDevice) &&
         !exit.stopped;
}

bool IsNotFinite(const RankExit& exit) {
  return exit.ended && exit.signal == 0 && exit.code == static_cast<int>(ExitCode::kNotFinite);
}

std::string DescribeExit(const RankExit& exit) {
  if (!exit.ended) {
    return "does not end on SIGKILL: it waits in the kernel, for a file system or a driver";
  }
  std::string text;
  if (exit.signal != 0) {
    text = absl::StrCat("killed by signal ", exit.signal, " (", strsignal(exit.signal), ")");
  } else {
    const CodeMeaning* meaning = Find(exit.code);
    text = absl::StrCat("exit code ", exit.code, " (",
                        meaning == nullptr ? "unknown to the agent" : meaning->text, ")");
  }
  if (exit.out_of_memory) text += " for lack of memory";
  if (exit.out_of_memory && exit.peak_bytes > 0) {
    absl::StrAppend(&text, ", peak ", exit.peak_bytes >> 20, " MiB");
  }
  if (!exit.gone) text += ", and processes of it survive SIGKILL";
  return text;
}

}  // namespace fpo::worker
