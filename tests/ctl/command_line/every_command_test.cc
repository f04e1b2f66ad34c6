// Walks the whole command table: what is true of one command is true of all, also of those that are
// added later.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/hash.h"
#include "ctl/command_line/command_table.h"
#include "ctl/command_line/hint.h"
#include "gmock/gmock.h"
#include "tests/common/features/sample_report.h"
#include "tests/ctl/cache_site.h"
#include "tests/ctl/command_run.h"
#include "tests/ctl/hint_check.h"
#include "tests/ctl/sample_job.h"
#include "tests/support/wire_json_reader.h"
#include "tests/support/working_folder.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;
namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using Words = std::vector<std::string>;

Words Split(const std::string& text, const std::string& by) {
  return absl::StrSplit(text, by, absl::SkipEmpty());
}

// The words of an example behind "fpoctl", without what the shell takes for itself.
Words ExampleWords(const ExampleSpec& example) {
  const Words lines =
      CommandLinesIn(absl::StrReplaceAll(example.line, {{"$(", "( "}, {"<(", "( "}}));
  EXPECT_EQ(lines.size(), 1u) << example.line;
  return lines.empty() ? Words() : ShellWords(lines[0]);
}

// "list" as "lits": the last two letters that differ change places.
std::string Mistyped(std::string word) {
  for (size_t i = word.size() - 1; i > 0; --i) {
    if (word[i] == word[i - 1] || word[i] == '-' || word[i - 1] == '-') continue;
    std::swap(word[i], word[i - 1]);
    return word;
  }
  return word + "x";
}

// A field of the error object, which comes last.
std::string FieldOf(const std::string& err, const char* field) {
  const Words lines = Split(err, "\n");
  const json error = json::parse(lines.empty() ? "" : lines.back(), nullptr, false);
  return error.is_object() ? error.value(field, "") : "";
}

using EveryCommandTest = CommandRun;

TEST_F(EveryCommandTest, HasAPageThatBothWaysPrint) {
  for (const CommandSpec& command : Commands()) {
    SCOPED_TRACE(command.name);
    Words words = Split(command.name, " ");
    words.emplace_back("--help");
    const Result page = Run(words);
    EXPECT_EQ(page.code, 0) << page.err;
    words.pop_back();
    words.insert(words.begin(), "help");
    EXPECT_EQ(Run(words).out, page.out);
    ASSERT_FALSE(command.examples.empty());
    EXPECT_THAT(page.out, HasSubstr(command.examples[0].line));
    for (const std::string& line : Split(page.out, "\n")) EXPECT_LE(line.size(), 80u) << line;
  }
}

TEST_F(EveryCommandTest, AGroupHasItsOwnPage) {
  std::set<std::string> groups;
  for (const CommandSpec& command : Commands()) {
    const Words words = Split(command.name, " ");
    if (words.size() > 1) groups.insert(words[0]);
  }
  EXPECT_EQ(groups.count("workers"), 1u);
  for (const std::string& group : groups) {
    SCOPED_TRACE(group);
    const Result page = Run({group, "--help"});
    EXPECT_EQ(page.code, 0) << page.err;
    EXPECT_EQ(Run({"help", group}).out, page.out);
    for (const CommandSpec& command : Commands()) {
      const bool own = absl::StartsWith(command.name, group + " ");
      EXPECT_EQ(absl::StrContains(page.out, "\n  " + command.name + " "), own) << command.name;
    }
    for (const std::string& line : Split(page.out, "\n")) EXPECT_LE(line.size(), 80u) << line;
    const Result alone = Run({group});
    EXPECT_EQ(alone.code, 2);
    EXPECT_THAT(alone.err, HasSubstr("needs to know what to do"));
  }
}

TEST_F(EveryCommandTest, ExamplesAreLinesThatAreTaken) {
  for (const CommandSpec& command : Commands()) {
    for (const ExampleSpec& example : command.examples) {
      const Words words = ExampleWords(example);
      SCOPED_TRACE(example.line);
      ExpectTaken(CommandLineOf(words).substr(7));
    }
  }
}

TEST_F(EveryCommandTest, ItsMistypedNameFindsIt) {
  for (const CommandSpec& command : Commands()) {
    Words words = Split(command.name, " ");
    words.back() = Mistyped(words.back());
    const Result result = Run(words);
    EXPECT_EQ(result.code, 2) << command.name;
    EXPECT_THAT(result.err, HasSubstr("; did you mean " + command.name + "?"));
  }
}

TEST_F(EveryCommandTest, AMistypedFlagFindsTheOneThatWasMeant) {
  for (const CommandSpec& command : Commands()) {
    std::vector<OptionSpec> options = command.options;
    options.insert(options.end(), SharedOptions().begin(), SharedOptions().end());
    for (const OptionSpec& option : options) {
      SCOPED_TRACE(absl::StrCat(command.name, " --", option.name));
      Words words = ExampleWords(command.examples.at(0));
      words.push_back("--" + Mistyped(option.name));
      const Result result = Run(words);
      EXPECT_EQ(result.code, 2);
      EXPECT_THAT(result.err, HasSubstr(absl::StrCat("there is no flag --", Mistyped(option.name),
                                                     "; did you mean --", option.name, "?")));
    }
  }
}

TEST_F(EveryCommandTest, AFlagWithoutItsValueAndAValueTooManyAreSaid) {
  for (const CommandSpec& command : Commands()) {
    for (const OptionSpec& option : command.options) {
      SCOPED_TRACE(absl::StrCat(command.name, " --", option.name));
      Words words = ExampleWords(command.examples.at(0));
      const bool is_flag = option.kind == ValueKind::kFlag;
      words.push_back(absl::StrCat("--", option.name, is_flag ? "=yes" : ""));
      const Result result = Run(words);
      EXPECT_EQ(result.code, 2);
      EXPECT_THAT(result.err,
                  HasSubstr(absl::StrCat("--", option.name,
                                         is_flag ? " takes no value" : " needs a value")));
    }
  }
}

TEST_F(EveryCommandTest, AddressesThatCannotWorkAreRefusedBeforeAnythingIsDone) {
  for (const CommandSpec& command : Commands()) {
    if (command.name == "context set") continue;  // forgets what it is given as nothing
    for (const std::string bad : {"", "foo", "host:99999", "host:0", "http://host:1", "a b:1"}) {
      Words words = ExampleWords(command.examples.at(0));
      words.insert(words.end(), {"--server", bad});
      const Result result = Run(words);
      EXPECT_EQ(result.code, 2) << command.name << " --server '" << bad << "'";
      EXPECT_THAT(result.err, HasSubstr("--server"));
      EXPECT_EQ(result.out, "");
    }
  }
}

TEST_F(EveryCommandTest, WithoutServicesTheErrorSaysWhatToStart) {
  environment_.server = "127.0.0.1:1";
  environment_.cache_server = "127.0.0.1:1";
  times_.submit_repeat_for = absl::Milliseconds(1);
  const fpo::testing::WorkingFolder here(folder_);
  WriteJob();
  for (const CommandSpec& command : Commands()) {
    for (const bool as_json : {false, true}) {
      Words words = ExampleWords(command.examples.at(0));
      if (as_json) words.emplace_back("--json");
      SCOPED_TRACE(CommandLineOf(words));
      const Result result = Run(words);  // which also checks the hint
      if (result.code == 5) EXPECT_THAT(result.err, HasSubstr("127.0.0.1:1 cannot be reached"));
      if (result.code != 0 && as_json) EXPECT_NE(FieldOf(result.err, "hint"), "") << result.err;
    }
  }
}

// --- JSON ---

// Services on which the examples of the command table succeed.
class EveryJsonTest : public CommandRun {
 protected:
  EveryJsonTest() {
    environment_.config_path = files_ / "config.yaml";
    const char* names[] = {"tiny-fpo", "tiny-dpo", "beta-1", "beta-2"};
    for (size_t i = 0; i < std::size(names); ++i) {
      pb::Job job =
          SampleMessage(absl::StrCat(i == 0 ? "j-4f2a1c" : "j-500", i), pb::JOB_STATE_RUNNING);
      job.set_name(names[i]);
      coordinator_.AddJob(job);
    }
    pb::MetricSeries loss;
    loss.set_name("loss");
    loss.add_steps(1);
    loss.add_values(0.5);
    coordinator_.SetMetrics({loss});
    pb::Checkpoint checkpoint;
    checkpoint.set_step(400);
    checkpoint.set_score(0.5);
    coordinator_.SetCheckpoints({checkpoint});
    coordinator_.SetArtifact(OneFile);
    fs::copy_file(WriteJob(), files_ / "job.yaml");
  }

  // A folder with one file of three bytes, and a feature report.
  static absl::Status OneFile(const pb::ReadArtifactRequest& request,
                              grpc::ServerWriter<pb::ReadArtifactResponse>* writer) {
    pb::ReadArtifactResponse answer;
    if (request.file().empty()) {
      answer.add_files()->set_name("run.json");
      answer.mutable_files(0)->set_bytes(3);
      answer.add_files()->set_name(kFeatureReportName);
      answer.mutable_files(1)->set_bytes(
          static_cast<int64_t>(FeatureReportJson(SampleReport()).size()));
    } else if (request.file() == kFeatureReportName) {
      answer.set_data(FeatureReportJson(SampleReport()));
      answer.set_sha256(ToBytes(Sha256Of(answer.data())));
    } else {
      answer.set_data(std::string("{}\n").substr(static_cast<size_t>(request.offset())));
      answer.set_sha256(ToBytes(Sha256Of("{}\n")));
    }
    writer->Write(answer);
    return absl::OkStatus();
  }

  // What a command needs to be there.
  void Prepare(const std::string& name) {
    coordinator_.SetStates(pb::JOB_STATE_RUNNING);
    coordinator_.AddWatch({{SampleMessage("j-4f2a1c", pb::JOB_STATE_SUCCEEDED)}, {}});
    pb::LogLine line;
    line.set_text("a line");
    coordinator_.AddLogs({{{line}}, {}, pb::JOB_STATE_SUCCEEDED});
    if (absl::StartsWith(name, "cache ") && name != "cache build") {
      site_ = std::make_unique<Site>(4);
      environment_.cache_server = site_->address();
    }
    if (name == "cache import") {
      Run({"cache", "export", site_->hex(), "ultrafeedback.fpr", "--force"});
    }
    fs::remove("access.json");
    fs::remove("ana.token");
    if (absl::StartsWith(name, "token ") && name != "token create") {
      Run({"token", "create", "ana", "--access", "access.json"});
    }
    if (absl::StartsWith(name, "context ")) {
      Run({"context", "set", "lab", "--server", coordinator_.address()});
    }
  }

  // The example with what is so here: the id of the manifest, an address that answers.
  Words Here(const ExampleSpec& example) {
    Words words = ExampleWords(example);
    for (std::string& word : words) {
      if (word == "3fa9c1" && site_ != nullptr) word = site_->hex().substr(0, 6);
      if (word == "cache.site-b:7080") word = environment_.cache_server;
    }
    words.emplace_back("--json");
    return words;
  }

  const fpo::testing::TempFolder files_;
  const fpo::testing::WorkingFolder here_{files_.path()};
  std::unique_ptr<Site> site_;
};

// Whether an object is of a shape that the command table names.
bool HasShape(const std::string& line, const std::string& shape) {
  const json object = json::parse(line, nullptr, false);
  if (shape.front() == '{') {
    const Words keys = Split(shape.substr(1, shape.size() - 2), ", ");
    for (const auto& [key, value] : object.items()) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) return false;
    }
    return !object.empty();
  }
  const auto* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName("fpo.v1." + shape);
  if (descriptor == nullptr) return absl::StrContains(shape, ' ');  // in words
  const std::unique_ptr<google::protobuf::Message> message(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor)->New());
  return fpo::testing::ReadWireJson(line, message.get());
}

void ExpectShapes(const CommandSpec& command, const std::string& out) {
  for (const std::string& line : Split(out, "\n")) {
    EXPECT_TRUE(json::parse(line, nullptr, false).is_object()) << line;
    bool known = false;
    for (const std::string& shape : command.json) known = known || HasShape(line, shape);
    EXPECT_TRUE(known) << "not of a shape that the command table names: " << line;
  }
}

TEST_F(EveryJsonTest, PrintsObjectsOfItsShapesAndNothingElse) {
  for (const CommandSpec& command : Commands()) {
    SCOPED_TRACE(command.name);
    ASSERT_FALSE(command.json.empty()) << "say in its CommandSpec what --json prints";
    bool worked = false;
    for (const ExampleSpec& example : command.examples) {
      SCOPED_TRACE(example.line);
      Prepare(command.name);
      const Result result = Run(Here(example));
      ExpectShapes(command, result.out);
      for (const std::string& line : Split(result.err, "\n")) {
        EXPECT_TRUE(json::parse(line, nullptr, false).is_object()) << line;
      }
      if (result.code == 0) EXPECT_NE(result.out, "");
      // The fakes may not have learned the call of a new command yet.
      const bool unknown_here = FieldOf(result.err, "code") == "UNIMPLEMENTED";
      worked = worked || result.code == 0 || unknown_here;
      EXPECT_TRUE(result.code == 0 || FieldOf(result.err, "code") != "") << result.err;
    }
    EXPECT_TRUE(worked) << "no example succeeded";
  }
}

TEST_F(EveryJsonTest, ErrorsOfTheLineAreObjectsToo) {
  for (const CommandSpec& command : Commands()) {
    Words words = Split(command.name, " ");
    words.insert(words.end(), {"--nope", "--json"});
    const Result result = Run(words);
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(FieldOf(result.err, "reason"), "USAGE") << result.err;
    EXPECT_EQ(result.out, "");
  }
}

void ExpectWarnings(const std::string& text) {  // one object a line
  for (const std::string& line : Split(text, "\n")) {
    if (!line.empty()) EXPECT_TRUE(json::parse(line).contains("warning")) << line;
  }
}

TEST_F(EveryJsonTest, WarningsTimeoutsAndPlansAreObjects) {
  coordinator_.SetProblems({}, {"beta is small"});
  const Result submit = Run({"submit", "job.yaml", "--json"});
  EXPECT_THAT(submit.err, HasSubstr("{\"warning\":\"beta is small\"}\n"));
  ExpectWarnings(submit.err);  // of files that are not here, too
  coordinator_.AddWatch({{SampleMessage("j-4f2a1c", pb::JOB_STATE_RUNNING)}, {}, true});
  const Result wait = Run({"wait", "tiny-fpo", "--timeout", "1ms", "--json"});
  EXPECT_EQ(wait.code, 12);
  EXPECT_EQ(FieldOf(wait.err, "reason"), "TIMEOUT") << wait.err;
  const Result plan =
      Run({"sweep", "job.yaml", "--grid", "method.beta=1,2", "--dry-run", "--json"});
  ExpectWarnings(plan.err);
  EXPECT_EQ(json::parse(Split(plan.out, "\n").back())["values"]["method.beta"], "2");
}

}  // namespace
}  // namespace fpo::ctl
