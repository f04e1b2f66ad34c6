#include "common/job_yaml.h"

#include <yaml-cpp/yaml.h>

#include <set>
#include <string>

#include "absl/strings/str_cat.h"

namespace fpo {
namespace {

constexpr int kLevelsMax = 16;

class TreeBuilder {
 public:
  explicit TreeBuilder(std::vector<JobProblem>* problems) : problems_(problems) {}

  JobNode Build(const YAML::Node& yaml, const std::string& key, int level) {
    JobNode node;
    node.line = yaml.Mark().line + 1;
    if (level > kLevelsMax) {
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
      node->members.emplace_back(name, std::move(child));
    }
  }

  void Complain(int line, const std::string& key, std::string message) {
    problems_->push_back({line, key, std::move(message)});
  }

  std::vector<JobProblem>* problems_;
};

}  // namespace

absl::StatusOr<JobNode> ParseJobYaml(absl::string_view text, std::vector<JobProblem>* problems) {
  // An alias repeats a node, so a few lines could stand for millions: anchors are refused by text.
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.size() > 1) {
      return absl::InvalidArgumentError("more than one YAML document (---); keep one job a file");
    }
    if (documents.empty()) return JobNode();
    return TreeBuilder(problems).Build(documents.front(), "", 0);
  } catch (const YAML::Exception& error) {
    problems->push_back({error.mark.line + 1, "", absl::StrCat("not YAML: ", error.msg)});
    return JobNode();
  }
}

}  // namespace fpo
