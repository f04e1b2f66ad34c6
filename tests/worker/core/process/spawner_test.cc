#include "worker/core/process/spawner.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process_fixture.h"

namespace fpo::worker {
namespace {

using fpo::testing::AwaitDeath;
using fpo::testing::FakeTrainer;
using fpo::testing::IsAlive;

std::string ReadToEnd(int fd) {
  std::string text;
  char bytes[4096];
  for (;;) {
    pollfd readable{fd, POLLIN, 0};
    if (poll(&readable, 1, 20'000) <= 0) return text + "<timeout>";
    const ssize_t got = read(fd, bytes, sizeof(bytes));
    if (got <= 0) return text;
    text.append(bytes, static_cast<size_t>(got));
  }
}

void Reap(pid_t pid) { waitpid(pid, nullptr, 0); }

TEST(SpawnerTest, TheChildHasItsFiveDescriptorsAndASessionOfItsOwn) {
  Spawner spawner;
  auto process = spawner.Spawn(FakeTrainer({"fds"}).spawn);
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(ReadToEnd(process->output.get()), "0 1 2 3 4 \n");
  Reap(process->pid);
  auto waiting = spawner.Spawn(FakeTrainer({"hang"}).spawn);
  ASSERT_TRUE(waiting.ok());
  EXPECT_EQ(getsid(waiting->pid), waiting->pid);
  EXPECT_EQ(getpgid(waiting->pid), waiting->pid);
  kill(waiting->pid, SIGKILL);
  Reap(waiting->pid);
}

TEST(SpawnerTest, TheEnvironmentIsExactlyWhatWasAsked) {
  Spawner spawner;
  SpawnRequest request = FakeTrainer({"env"}).spawn;
  request.environment = {"A=1", "B=2"};
  auto process = spawner.Spawn(request);
  ASSERT_TRUE(process.ok());
  EXPECT_EQ(ReadToEnd(process->output.get()), "A=1\nB=2\n");
  Reap(process->pid);
}

TEST(SpawnerTest, SaysWhyAProgramDoesNotStart) {
  Spawner spawner;
  SpawnRequest request = FakeTrainer({}).spawn;
  request.argv = {"/nowhere/fpo-train"};
  const auto missing = spawner.Spawn(request);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(missing.status().message()),
              ::testing::HasSubstr("/nowhere/fpo-train in /tmp: No such file"));
  request = FakeTrainer({"exit", "0"}).spawn;
  request.folder = "/nowhere";
  EXPECT_FALSE(spawner.Spawn(request).ok());
}

TEST(SpawnerTest, ChildrenDieWithTheSpawner) {
  auto spawner = std::make_unique<Spawner>();
  auto process = spawner->Spawn(FakeTrainer({"ignore-term"}).spawn);
  ASSERT_TRUE(process.ok());
  EXPECT_TRUE(IsAlive(process->pid));
  spawner.reset();
  EXPECT_TRUE(AwaitDeath(process->pid));
  Reap(process->pid);
}

TEST(SpawnerTest, ChildrenDieWithAnAgentThatIsKilled) {
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  const pid_t agent = fork();
  if (agent == 0) {
    Spawner spawner;
    auto process = spawner.Spawn(FakeTrainer({"ignore-term"}).spawn);
    const pid_t pid = process.ok() ? process->pid : -1;
    if (write(report[1], &pid, sizeof(pid)) != sizeof(pid)) _exit(1);
    for (;;) pause();
  }
  pid_t rank = -1;
  ASSERT_EQ(read(report[0], &rank, sizeof(rank)), static_cast<ssize_t>(sizeof(rank)));
  ASSERT_GT(rank, 0);
  EXPECT_TRUE(IsAlive(rank));
  kill(agent, SIGKILL);
  Reap(agent);
  EXPECT_TRUE(AwaitDeath(rank));
  close(report[0]);
  close(report[1]);
}

}  // namespace
}  // namespace fpo::worker
