#include "common/job/job_yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <exception>
#include <set>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace fpo {
namespace {

constexpr int kNodeLevelsMax = 16;

// Finds the first alias without building anything: an alias repeats its node, so a few lines could
// expand to millions of values.
class AliasFinder final : public YAML::EventHandler {
 public:
  int line() const { return line_; }  // 0: none

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    if (line_ == 0) line_ = mark.line + 1;
  }
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  int line_ = 0;
};

int LineOfAlias(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  AliasFinder finder;
  parser.HandleNextDocument(finder);  // later documents are rejected as a whole
  return finder.line();
}

bool HasSecondDocument(absl::string_view text) {
  bool content = false;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (content && absl::StartsWith(line, "---")) return true;
    content = content || (!line.empty() && line[0] != '#');
  }
  return false;
}

class NodeBuilder {
 public:
  explicit NodeBuilder(std::vector<JobProblem>* problems) : problems_(problems) {}

  JobNode Build(const YAML::Node& yaml, const std::string& key, int level) {
    JobNode node;
    node.line = yaml.Mark().line + 1;
    if (level > kNodeLevelsMax) {
      Complain(node.line, key, "nested more than 16 levels deep");
      return node;
    }
    // yaml-cpp marks quoted scalars with the tag "!", plain ones with "?" or nothing.
    const std::string& tag = yaml.Tag();
    if (!tag.empty() && tag != "?" && tag != "!") {
      Complain(node.line, key, absl::StrCat("the tag ", tag, " is not allowed here"));
      return node;
    }
    if (yaml.IsScalar()) {
      node.kind = JobNode::Kind::kScalar;
      node.text = yaml.Scalar();
      node.quoted = tag == "!";
    } else if (yaml.IsSequence()) {
      node.kind = JobNode::Kind::kList;
      for (size_t i = 0; i < yaml.size(); ++i) {
        node.items.push_back(Build(yaml[i], absl::StrCat(key, ".", i), level + 1));
      }
    } else if (yaml.IsMap()) {
      node.kind = JobNode::Kind::kMap;
      AddMembers(yaml, key, level, &node);
    }
    return node;
  }

 private:
  void AddMembers(const YAML::Node& yaml, const std::string& key, int level, JobNode* node) {
    std::set<std::string> seen;
    for (const auto& member : yaml) {
      if (!member.first.IsScalar()) {
        Complain(member.first.Mark().line + 1, key, "a key must be a plain word");
        continue;
      }
      const std::string name = member.first.Scalar();
      const std::string path = key.empty() ? name : absl::StrCat(key, ".", name);
      if (!seen.insert(name).second) {
        Complain(member.first.Mark().line + 1, path, "given twice; keep one");
        continue;
      }
      JobNode child = Build(member.second, path, level + 1);
      child.line = member.first.Mark().line + 1;
      node->members.push_back({name, std::move(child)});
    }
  }

  void Complain(int line, const std::string& key, std::string message) {
    problems_->push_back({line, key, std::move(message)});
  }

  std::vector<JobProblem>* problems_;
};

}  // namespace

absl::StatusOr<JobNode> ParseJobYaml(absl::string_view text, std::vector<JobProblem>* problems) {
  try {
    if (const int line = LineOfAlias(std::string(text)); line != 0) {
      problems->push_back({line, "", "aliases (*name) are not allowed; write the value out"});
      return JobNode();
    }
    // LoadAll does not terminate on some damaged text; the separator reveals a second document.
    if (HasSecondDocument(text)) {
      return absl::InvalidArgumentError("more than one YAML document (---); keep one job per file");
    }
    const YAML::Node document = YAML::Load(std::string(text));
    return NodeBuilder(problems).Build(document, "", 0);
  } catch (const YAML::Exception& error) {
    problems->push_back({error.mark.line + 1, "", absl::StrCat("not YAML: ", error.msg)});
    return JobNode();
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("not YAML: ", error.what()));
  }
}

}  // namespace fpo
