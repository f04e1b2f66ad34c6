#include "train/generate/chat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/integration/process.h"
#include "tests/train/generate/tiny_text_model.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

std::string TrainerProgram() {
  const char* folder = std::getenv("FPO_BIN_DIR");
  return std::string(folder == nullptr ? "build/release/bin" : folder) + "/fpo-train";
}

// The program's exit code and output for these lines of standard input.
testing::Outcome Chat(const TinyTextModel& tiny, const std::string& input,
                      const std::string& flags = "--template gemma") {
  const std::string lines = tiny.folder().Put("input.txt", input);
  return testing::RunProgram(
      {"sh", "-c",
       absl::StrCat(TrainerProgram(), " chat ", tiny.path(), " --max-new-tokens 12 --device cpu ",
                    flags, " < ", lines)});
}

TEST(Chat, OneAnswerPerLineWithoutATerminal) {
  const TinyTextModel tiny;
  const testing::Outcome run =
      Chat(tiny, "the model\n\n/reset\nthe model\n/system the user\nthe model\n/quit\nnever\n");
  EXPECT_EQ(run.code, 0) << run.err;
  const std::vector<std::string> lines = absl::StrSplit(run.out, '\n');
  ASSERT_EQ(lines.size(), 4u) << run.out;  // three answers and the end
  EXPECT_EQ(lines[0], lines[1]);
  EXPECT_NE(lines[0], lines[2]);
  EXPECT_THAT(run.err, HasSubstr("(a new conversation)"));
}

TEST(Chat, ALastLineNeedsNoLineFeed) {
  const TinyTextModel tiny;
  const testing::Outcome run = Chat(tiny, "the model");
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(absl::EndsWith(run.out, "\n"));
}

TEST(Chat, ABaseModelGetsAnErrorThatHelps) {
  const TinyTextModel tiny;
  const testing::Outcome run = Chat(tiny, "hi\n", "");
  EXPECT_EQ(run.code, 3);
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(run.err, HasSubstr("has no chat template"));
  EXPECT_THAT(run.err, HasSubstr("fpo-train generate"));
}

// The program on a terminal of its own.
class Terminal {
 public:
  explicit Terminal(const std::vector<std::string>& argv) {
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    pid_ = forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (pid_ == 0) {
      execv(words[0], words.data());
      _exit(127);
    }
  }
  ~Terminal() {
    if (pid_ > 0) kill(pid_, SIGKILL), waitpid(pid_, nullptr, 0);
    close(terminal_);
  }
  void Type(const std::string& text) {
    ASSERT_EQ(write(terminal_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // Waits until the screen shows the text behind what was waited for before.
  bool WaitFor(const std::string& text) {
    const absl::Time deadline = absl::Now() + absl::Seconds(120);
    while (screen.find(text, seen_) == std::string::npos) {
      pollfd waiting{terminal_, POLLIN, 0};
      const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
      char bytes[4096];
      if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) <= 0) return false;
      const ssize_t count = read(terminal_, bytes, sizeof(bytes));
      if (count <= 0) return false;
      screen.append(bytes, static_cast<size_t>(count));
    }
    seen_ = screen.find(text, seen_) + text.size();
    return true;
  }
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  }

  std::string screen;

 private:
  pid_t pid_ = -1;
  int terminal_ = -1;
  size_t seen_ = 0;
};

TEST(Chat, CtrlCEndsTheAnswerAndNotTheProgram) {
  const TinyTextModel tiny;
  Terminal terminal({TrainerProgram(), "chat", tiny.path(), "--template", "gemma", "--device",
                     "cpu", "--max-new-tokens", "200000", "--context", "400000", "--temperature",
                     "1", "--top-k", "0"});
  ASSERT_TRUE(terminal.WaitFor("> ")) << terminal.screen;
  terminal.Type("\x03");
  ASSERT_TRUE(terminal.WaitFor("(/quit or Ctrl-D ends)")) << terminal.screen;
  ASSERT_TRUE(terminal.WaitFor("> ")) << terminal.screen;
  terminal.Type("the model\n");
  ASSERT_TRUE(terminal.WaitFor("the model\r\n")) << terminal.screen;  // its echo
  terminal.Type("\x03");
  ASSERT_TRUE(terminal.WaitFor("> ")) << terminal.screen;
  terminal.Type("/quit\n");
  EXPECT_EQ(terminal.Wait(), 0) << terminal.screen;
}

}  // namespace
}  // namespace fpo::train
