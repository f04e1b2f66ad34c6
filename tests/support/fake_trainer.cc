// Stands in for fpo-train in tests of the agent: same command lines, events and files, no tensors.
// How it behaves in a phase is said by the job's labels, e.g. {"run": "exit-5"}; modes without a
// job
// ("exit 3", "ignore-term") show one behaviour each.

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/hash.h"
#include "common/reference/record_file.h"
#include "common/reference/record_key.h"
#include "common/train_protocol.h"
#include "tests/support/step_run.h"
#include "tests/support/temp_folder.h"

namespace {

using fpo::TrainEvent;
using nlohmann::json;

volatile sig_atomic_t stop_requested = 0;

void OnTerm(int) { stop_requested = 1; }

void Emit(TrainEvent event) {
  static uint64_t seq = 0;
  event.seq = ++seq;
  const std::string line = fpo::EncodeEvent(event) + "\n";
  if (write(3, line.data(), line.size()) < 0) perror("descriptor 3");
}

void EmitWarning(const std::string& message) { Emit(fpo::WarningEvent(message)); }

[[noreturn]] void WaitForEver() {
  for (;;) pause();
}

int Fail(int code, const std::string& message) {
  Emit(fpo::ErrorEvent("", message));
  std::cerr << "fake_trainer: " << message << std::endl;
  return code;
}

// A child that lives on. With `leave` it has a session of its own and none of our descriptors.
int ForkChild(bool leave) {
  const pid_t child = fork();
  if (child == 0) {
    if (leave) {
      setsid();
      for (int fd = 0; fd < 64; ++fd) close(fd);
    }
    signal(SIGTERM, SIG_IGN);
    WaitForEver();
  }
  EmitWarning(std::to_string(child));
  return 0;
}

int PrintDescriptors() {
  std::string numbers;
  for (int fd = 0; fd < 1024; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) numbers += std::to_string(fd) + " ";
  }
  std::cout << numbers << std::endl;
  return 0;
}

int EchoCommands() {
  std::string buffer;
  char bytes[4096];
  for (ssize_t got; (got = read(4, bytes, sizeof(bytes))) > 0;) {
    buffer.append(bytes, static_cast<size_t>(got));
    for (size_t end; (end = buffer.find('\n')) != std::string::npos; buffer.erase(0, end + 1)) {
      const auto command = fpo::ParseCommand(buffer.substr(0, end));
      if (!command.ok()) return 1;
      if (command->kind == "stop") return 0;
      EmitWarning(command->kind + " " + std::to_string(command->ordinals.size()));
    }
  }
  return 0;
}

int UntilTerm(int code) {
  sigset_t term;  // blocked, so that one that comes before the wait is not lost
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_BLOCK, &term, nullptr);
  EmitWarning("waiting");
  int number = 0;
  sigwait(&term, &number);
  std::cerr << "stopping" << std::endl;
  return code;
}

int Talk() {
  for (int i = 0; i < 3; ++i) {
    std::cout << "out " << i << std::endl;
    std::cerr << "err " << i << std::endl;
  }
  std::cout << "no newline" << std::flush;
  Emit(fpo::StepEvent(1, 0, {{"step_seconds", 0.5}, {"pairs", 8}, {"tokens", 100}}));
  const std::string bad = "this is no event\n";
  return write(3, bad.data(), bad.size()) < 0 ? 1 : 0;
}

// "exit-3", "exit-3 some message", "hang", "ignore-term", "segv", "kill"; empty: go on.
std::optional<int> Behave(const std::string& how) {
  if (how.rfind("exit-", 0) == 0) {
    const int code = std::stoi(how.substr(5));
    const size_t space = how.find(' ');
    return Fail(code, space == std::string::npos ? "told to" : how.substr(space + 1));
  }
  if (how == "hang") return UntilTerm(7);
  if (how == "ignore-term") {
    signal(SIGTERM, SIG_IGN);
    EmitWarning("waiting");
    WaitForEver();
  }
  if (how == "segv") {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
  }
  if (how == "kill") raise(SIGKILL);
  return std::nullopt;
}

int RunMode(const std::vector<std::string>& words) {
  const std::string& mode = words[0];
  if (mode == "exit") return std::stoi(words.at(1));
  if (mode == "talk") return Talk();
  if (mode == "fds") return PrintDescriptors();
  if (mode == "echo") return EchoCommands();
  if (mode == "child") {
    ForkChild(false);
    WaitForEver();
  }
  if (mode == "child-exit") return ForkChild(false);
  if (mode == "runaway-exit") return ForkChild(true);
  if (mode == "inspect") {  // --devices
    const char* file = getenv("FPO_FAKE_DEVICES");
    const std::string how = file == nullptr ? "" : fpo::testing::ReadWhole(file);
    if (const std::optional<int> end = Behave(how)) return *end;
    std::cout << "cuda: 1 visible" << std::endl;
    return 0;
  }
  if (mode == "env") {
    for (char** entry = environ; *entry != nullptr; ++entry) std::cout << *entry << "\n";
    return 0;
  }
  return Behave(mode).value_or(2);
}

// One phase of a job.
class Phase {
 public:
  Phase(const std::vector<std::string>& words) : command_(words[0]) {
    for (size_t i = 1; i < words.size(); ++i) {
      if (words[i].rfind("--", 0) != 0) continue;
      const bool has_value = i + 1 < words.size() && words[i + 1].rfind("--", 0) != 0;
      flags_[words[i].substr(2)] = has_value ? words[i + 1] : "";
    }
    job_ = json::parse(fpo::testing::ReadWhole(flags_["job"]));
  }

  int Run();

 private:
  std::string Label(const std::string& name) const {
    const json labels = job_.value("labels", json::object());
    return labels.value(name, "");
  }
  fpo::Recipe MakeRecipe() const {
    fpo::Recipe recipe;
    recipe.model_digest = fpo::ToHex(fpo::Sha256Of("model"));
    recipe.forward = "gemma-1";
    recipe.dtype = "float32";
    recipe.device = "cpu";
    return recipe;
  }
  int Prepare();
  int Score();
  int Train();

  const std::string command_;
  std::map<std::string, std::string> flags_;
  json job_;
};

int Phase::Run() {
  // Every process of a phase leaves a line: tests count them.
  std::ofstream(std::filesystem::path(flags_["job"]).parent_path().parent_path() / "phases.log",
                std::ios::app)
      << command_ << std::endl;
  if (const std::optional<int> end = Behave(Label(command_))) return *end;
  std::cout << command_ << " begins" << std::endl;
  if (command_ == "prepare") return Prepare();
  if (command_ == "score") return Score();
  return Train();
}

int Phase::Prepare() {
  const std::string out = flags_["out"];
  std::filesystem::create_directories(out);
  const std::string count = Label("keys");
  std::vector<fpo::Digest> keys;
  for (int i = 0; i < (count.empty() ? 20 : std::stoi(count)); ++i) {
    keys.push_back(fpo::Sha256Of("key " + std::to_string(i)));
  }
  const fpo::Recipe recipe = MakeRecipe();
  const json plan = {{"recipe_id", fpo::ToHex(fpo::RecipeId(recipe))},
                     {"recipe", fpo::CanonicalRecipe(recipe)},
                     {"count", keys.size()}};
  if (!fpo::WriteKeysFile(out + "/reference.keys", keys).ok()) return 9;
  fpo::testing::WriteWhole(out + "/reference.json", plan.dump());
  for (const char* name : {"train.safetensors", "eval.safetensors"}) {
    fpo::testing::WriteWhole(out + "/" + name, "{}");
  }
  fpo::testing::WriteWhole(out + "/prepare.json", "{\"digest\": \"d1\"}");
  Emit(fpo::ResultEvent("", 0, {{"train_pairs", 1}}));
  return 0;
}

int Phase::Score() {
  const auto keys = fpo::ReadKeysFile(flags_["prepared"] + "/reference.keys");
  if (!keys.ok()) return Fail(3, std::string(keys.status().message()));
  TrainEvent progress = fpo::ProgressEvent("reference", {1, 4, "bytes"}, "loading");
  if (!Label("score-progress").empty()) Emit(progress);
  Emit(fpo::HelloEvent("", 0));
  std::string buffer;
  char bytes[65536];
  for (ssize_t got; (got = read(4, bytes, sizeof(bytes))) > 0;) {
    buffer.append(bytes, static_cast<size_t>(got));
    for (size_t end; (end = buffer.find('\n')) != std::string::npos; buffer.erase(0, end + 1)) {
      const auto command = fpo::ParseCommand(buffer.substr(0, end));
      if (!command.ok() || command->kind == "stop") return command.ok() ? 0 : 1;
      if (const std::optional<int> ended = Behave(Label("score-command"))) return *ended;
      progress.unit = "responses";
      progress.activity = "forward: 1 of 2 layers";
      if (!Label("score-progress").empty()) Emit(progress);
      auto writer = fpo::RecordFileWriter::Create(command->file, MakeRecipe());
      for (const int64_t ordinal : command->ordinals) {
        fpo::PackedRecord record;
        record.key = (*keys)[static_cast<size_t>(ordinal)];
        record.bytes = fpo::EncodeRecord(
            {.sum_logp = -1.0 * static_cast<double>(ordinal), .tokens = 3, .features = {}});
        record.sha256 = fpo::Sha256Of(record.bytes);
        if (!(*writer)->Add(record).ok()) return 9;
      }
      if (!(*writer)->Finish().ok()) return 9;
      const auto count = static_cast<int64_t>(command->ordinals.size());
      Emit(fpo::RecordsEvent(command->file, count, {{"flops", 1e9 * static_cast<double>(count)}}));
    }
  }
  return 0;
}

int Phase::Train() {
  const std::string out = flags_["out"];
  std::string how = Label(command_);
  if (how.rfind("fork+", 0) == 0) {
    ForkChild(true);
    how = how.substr(5);
  }
  const std::string rank = flags_.count("rank") ? flags_["rank"] : "0";
  if (how.rfind("steps-", 0) == 0) {
    if (flags_.count("rendezvous") &&
        !fpo::testing::MeetOtherRank(flags_["rendezvous"], rank == "0")) {
      return Fail(6, "no other rank at " + flags_["rendezvous"]);
    }
    signal(SIGTERM, OnTerm);
    return fpo::testing::StepRun({how, out, rank == "0", Emit, &stop_requested}).Run();
  }
  const bool is_file = command_ == "evaluate";
  std::filesystem::create_directories(is_file ? std::filesystem::path(out).parent_path().string()
                                              : out);
  Emit(fpo::StepEvent(1, 1, {{"step_seconds", 0.5}, {"pairs", 8}, {"tokens", 100}}));
  json flags = json::object();
  for (const auto& [name, value] : flags_) flags[name] = value;
  fpo::testing::WriteWhole(is_file ? out : out + "/" + command_ + ".json", flags.dump());
  Emit(fpo::ResultEvent(out, 0, {{"eval_loss", 0.25}}));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) return 2;
  if (words[0] == "--version") {
    std::cout << "fake_trainer 1" << std::endl;
    return 0;
  }
  for (const char* phase : {"prepare", "score", "run", "sae", "evaluate"}) {
    if (words[0] == phase) return Phase(words).Run();
  }
  return RunMode(words);
}
