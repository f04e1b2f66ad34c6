#include "common/process/program_run.h"

#include <signal.h>

#include "gmock/gmock.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;

ProgramRun Shell(const std::string& script) {
  ProgramRun run;
  run.argv = {"sh", "-c", script};
  return run;
}

TEST(RunProgram, GivesInputAndReturnsBothOutputsAndTheCode) {
  ProgramRun run = Shell("cat; echo oops >&2; exit 7");
  run.input = std::string(300'000, 'x');
  const auto end = RunProgram(run);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->out, run.input);
  EXPECT_EQ(end->err, "oops\n");
  EXPECT_EQ(end->exit_code, 7);
}

TEST(RunProgram, WordsAreNoShellScript) {
  ProgramRun run;
  run.argv = {"echo", "$(id); `id`", "a b"};
  EXPECT_EQ(RunProgram(run)->out, "$(id); `id` a b\n");
}

TEST(RunProgram, AMissingProgramIsNamed) {
  ProgramRun run;
  run.argv = {"/nowhere/sbatch"};
  EXPECT_TRUE(absl::IsNotFound(RunProgram(run).status()));
  EXPECT_THAT(std::string(RunProgram(run).status().message()), HasSubstr("/nowhere/sbatch"));
}

TEST(RunProgram, OneThatTakesTooLongIsKilledWithItsChildren) {
  ProgramRun run = Shell("sleep 1000 & echo $!; wait");
  run.answer_time = absl::Milliseconds(300);
  const absl::Status status = RunProgram(run).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("sh did not end within 300ms"));
}

TEST(RunProgram, OneThatSaysTooMuchIsKilled) {
  ProgramRun run = Shell("yes");
  run.output_bytes_max = 1000;
  EXPECT_TRUE(absl::IsResourceExhausted(RunProgram(run).status()));
}

TEST(RunProgram, StopsOnRequest) {
  ProgramRun run = Shell("sleep 1000");
  int asked = 0;
  run.is_stopped = [&] { return ++asked > 1; };
  EXPECT_TRUE(absl::IsCancelled(RunProgram(run).status()));
}

TEST(RunProgram, ProcessesThatItLeavesDoNotHoldItUp) {
  const auto end = RunProgram(Shell("sleep 1000 & echo $!"));
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(kill(std::stoi(end->out), SIGKILL), 0) << "it was left alone";
}

TEST(RunProgram, ASignalIsItsCode) { EXPECT_EQ(RunProgram(Shell("kill -9 $$"))->exit_code, 137); }

TEST(RunProgram, InputThatIsNotReadIsDropped) {
  ProgramRun run = Shell("exec 0<&-; exit 3");
  run.input = std::string(10 << 20, 'x');
  EXPECT_EQ(RunProgram(run)->exit_code, 3);
}

}  // namespace
}  // namespace fpo
