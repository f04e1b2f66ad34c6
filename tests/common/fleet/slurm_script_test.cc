#include "common/fleet/slurm_script.h"

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"

namespace fpo {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

SlurmWorkers TwoNodes() {
  SlurmWorkers workers;
  workers.nodes = 2;
  workers.gpus = 4;
  workers.time = "24:00:00";
  workers.partition = "a100";
  workers.work_dir = "/scratch/fpo";
  workers.token_file = "/home/ada/slurm.token";
  workers.roots = {"/srv/models", "/srv/ada's data"};
  workers.output_roots = {"/srv/runs"};
  workers.coordinator = "host-a:7070,host-b:7070";
  workers.cache = "host-c:7080";
  workers.tls_ca = "/etc/fpo/ca.pem";
  return workers;
}

std::vector<std::string> ScriptLines(const std::string& text) { return absl::StrSplit(text, '\n'); }

TEST(SlurmScriptTest, AsksSlurmForNodesAndAWarning) {
  const auto lines = ScriptLines(SlurmScript(TwoNodes()));
  EXPECT_EQ(lines[0], "#!/bin/bash");
  for (const char* option :
       {"nodes=2", "ntasks-per-node=1", "gpus-per-node=4", "time=24:00:00", "partition=a100",
        "signal=B:USR1@300", "requeue", "open-mode=append"}) {
    EXPECT_THAT(lines, Contains(std::string("#SBATCH --") + option));
  }
  EXPECT_THAT(lines, Not(Contains(StartsWith("#SBATCH --account"))));
}

TEST(SlurmScriptTest, TellsTheAgentsWhereEverythingIs) {
  const std::string script = SlurmScript(TwoNodes());
  for (const char* flag :
       {"--coordinator='host-a:7070,host-b:7070'", "--cache='host-c:7080'",
        "--tls-ca='/etc/fpo/ca.pem'", "--token-file='/home/ada/slurm.token'",
        "--root='/srv/models'", R"(--root='/srv/ada'\''s data')", "--output-root='/srv/runs'",
        "--device='cuda'", "--slots='4'", "--grace='240s'"}) {
    EXPECT_THAT(ScriptLines(script), Contains(StartsWith(std::string("  ") + flag)));
  }
  EXPECT_THAT(script, HasSubstr("srun --kill-on-bad-exit=0 bash"));
}

TEST(SlurmScriptTest, WithoutGpusTheAgentsTakeTheCpu) {
  SlurmWorkers workers = TwoNodes();
  workers.gpus = 0;
  workers.cpus = 16;
  const std::string script = SlurmScript(workers);
  EXPECT_THAT(script, HasSubstr("--device='cpu'\n  --slots='1'"));
  EXPECT_THAT(script, HasSubstr("srun --kill-on-bad-exit=0 --cpus-per-task=16 bash"));
  EXPECT_THAT(script, Not(HasSubstr("--gpus-per-node")));
}

std::string ScriptRefusal(void (*change)(SlurmWorkers* workers)) {
  SlurmWorkers workers = TwoNodes();
  change(&workers);
  return std::string(CheckSlurmWorkers(workers, "workers slurm-script: --").message());
}

TEST(SlurmScriptTest, RefusesWhatSbatchOrAnAgentWouldMisread) {
  EXPECT_EQ(ScriptRefusal([](SlurmWorkers*) {}), "");
  EXPECT_THAT(ScriptRefusal([](SlurmWorkers* w) { w->partition = "a\n#SBATCH --uid=0"; }),
              HasSubstr("--partition is"));
  EXPECT_THAT(ScriptRefusal([](SlurmWorkers* w) { w->account = "two words"; }),
              HasSubstr("--account is 'two words'"));
  EXPECT_THAT(ScriptRefusal([](SlurmWorkers* w) { w->time = "1 day"; }), HasSubstr("--time is"));
  EXPECT_THAT(ScriptRefusal([](SlurmWorkers* w) { w->roots = {"models"}; }),
              HasSubstr("--root is 'models' and must be an absolute path"));
  EXPECT_THAT(ScriptRefusal([](SlurmWorkers* w) { w->work_dir = "work"; }),
              HasSubstr("--work-dir is"));
  EXPECT_THAT(ScriptRefusal([](SlurmWorkers* w) { w->notice = absl::Seconds(90); }),
              HasSubstr("--notice is '1m30s' and must be from 2m to 1h"));
}

TEST(SlurmScriptTest, AgentsThatAreGivenBackSayWhoseTheyAreAndEnd) {
  SlurmWorkers workers = TwoNodes();
  workers.job_name = "fpo-gpu-0a1b";
  workers.gpus = 0;
  workers.slots = 3;
  workers.labels = {{"fpo-request", "0a1b"}, {"pool", "gpu"}};
  workers.exit_when_idle = absl::Minutes(10);
  workers.requeue = false;
  const auto lines = ScriptLines(SlurmScript(workers));
  for (const char* line :
       {"#SBATCH --job-name=fpo-gpu-0a1b", "#SBATCH --no-requeue", "  --slots='3'",
        "  --label='fpo-request=0a1b'", "  --label='pool=gpu'", "  --exit-when-idle='600s'"}) {
    EXPECT_THAT(lines, Contains(std::string(line)));
  }
  EXPECT_THAT(lines, Contains(HasSubstr("exit 0  # not requeued")));
  EXPECT_THAT(SlurmScript(TwoNodes()), Not(HasSubstr("exit-when-idle")));
}

TEST(SlurmScriptTest, KeysOfAFileAreNamedAsTheyAreWritten) {
  SlurmWorkers workers = TwoNodes();
  workers.work_dir = "work";
  EXPECT_THAT(std::string(CheckSlurmWorkers(workers, "pools.gpu.slurm.").message()),
              StartsWith("pools.gpu.slurm.work_dir is 'work'"));
}

}  // namespace
}  // namespace fpo
