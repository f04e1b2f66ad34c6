#include "ctl/init/slurm_script.h"

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"

namespace fpo::ctl {
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
  return workers;
}

Settings OtherHosts() {
  Settings settings;
  settings.server = "host-a:7070,host-b:7070";
  settings.cache_server = "host-c:7080";
  settings.tls.ca = "/etc/fpo/ca.pem";
  return settings;
}

std::vector<std::string> ScriptLines(const std::string& text) { return absl::StrSplit(text, '\n'); }

TEST(SlurmScriptTest, AsksSlurmForNodesAndAWarning) {
  const auto lines = ScriptLines(SlurmScript(TwoNodes(), OtherHosts()));
  EXPECT_EQ(lines[0], "#!/bin/bash");
  for (const char* option :
       {"nodes=2", "ntasks-per-node=1", "gpus-per-node=4", "time=24:00:00", "partition=a100",
        "signal=B:USR1@300", "requeue", "open-mode=append"}) {
    EXPECT_THAT(lines, Contains(std::string("#SBATCH --") + option));
  }
  EXPECT_THAT(lines, Not(Contains(StartsWith("#SBATCH --account"))));
}

TEST(SlurmScriptTest, TellsTheAgentsWhereEverythingIs) {
  const std::string script = SlurmScript(TwoNodes(), OtherHosts());
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
  const std::string script = SlurmScript(workers, OtherHosts());
  EXPECT_THAT(script, HasSubstr("--device='cpu'\n  --slots='1'"));
  EXPECT_THAT(script, HasSubstr("srun --kill-on-bad-exit=0 --cpus-per-task=16 bash"));
  EXPECT_THAT(script, Not(HasSubstr("--gpus-per-node")));
}

std::string ScriptRefusal(void (*change)(SlurmWorkers* workers, Settings* settings)) {
  SlurmWorkers workers = TwoNodes();
  Settings settings = OtherHosts();
  change(&workers, &settings);
  return std::string(CheckSlurmWorkers(workers, settings).message());
}

TEST(SlurmScriptTest, RefusesWhatSbatchOrAnAgentWouldMisread) {
  EXPECT_EQ(ScriptRefusal([](SlurmWorkers*, Settings*) {}), "");
  EXPECT_THAT(
      ScriptRefusal([](SlurmWorkers* w, Settings*) { w->partition = "a\n#SBATCH --uid=0"; }),
      HasSubstr("--partition is"));
  EXPECT_THAT(ScriptRefusal([](SlurmWorkers* w, Settings*) { w->account = "two words"; }),
              HasSubstr("--account is 'two words'"));
  EXPECT_THAT(ScriptRefusal([](SlurmWorkers* w, Settings*) { w->time = "1 day"; }),
              HasSubstr("--time is"));
  EXPECT_THAT(ScriptRefusal([](SlurmWorkers* w, Settings*) { w->roots = {"models"}; }),
              HasSubstr("--root is 'models' and must be an absolute path"));
  EXPECT_THAT(ScriptRefusal([](SlurmWorkers* w, Settings*) { w->work_dir = "work"; }),
              HasSubstr("--work-dir is"));
  EXPECT_THAT(ScriptRefusal([](SlurmWorkers* w, Settings*) { w->notice = absl::Seconds(90); }),
              HasSubstr("--notice is '1m30s' and must be from 2m to 1h"));
}

TEST(SlurmScriptTest, RootsMayBeMissingOnlyBesideTheCoordinator) {
  EXPECT_THAT(ScriptRefusal([](SlurmWorkers* w, Settings*) {
                w->roots.clear();
                w->output_roots.clear();
              }),
              HasSubstr("give --root DIR"));
  EXPECT_EQ(ScriptRefusal([](SlurmWorkers* w, Settings* s) {
              w->roots.clear();
              w->output_roots.clear();
              s->server = "127.0.0.1:7070";
            }),
            "");
}

}  // namespace
}  // namespace fpo::ctl
