#include "common/job/job_node.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"

namespace fpo {
namespace {

JobNode Scalar(std::string text, bool quoted) {
  JobNode node;
  node.kind = JobNode::Kind::kScalar;
  node.text = std::move(text);
  node.quoted = quoted;
  return node;
}

JobNode Convert(const nlohmann::ordered_json& value) {
  JobNode node;
  if (value.is_string()) return Scalar(value.get<std::string>(), true);
  if (value.is_boolean()) return Scalar(value.get<bool>() ? "true" : "false", false);
  if (value.is_number_float()) return Scalar(JsonNumber(value.get<double>()), false);
  if (value.is_number()) return Scalar(value.dump(), false);
  if (value.is_array()) {
    node.kind = JobNode::Kind::kList;
    for (const nlohmann::ordered_json& item : value) node.items.push_back(Convert(item));
  } else if (value.is_object()) {
    node.kind = JobNode::Kind::kMap;
    for (const auto& [key, member] : value.items()) {
      node.members.push_back({key, Convert(member)});
    }
  }
  return node;
}

JobNode* FindOrAdd(JobNode* map, absl::string_view key) {
  for (auto& [name, node] : map->members) {
    if (name == key) return &node;
  }
  map->members.push_back({std::string(key), JobNode()});
  return &map->members.back().node;
}

}  // namespace

const JobNode* JobNode::Find(absl::string_view key) const {
  for (const auto& [name, node] : members) {
    if (name == key) return &node;
  }
  return nullptr;
}

absl::string_view JobNode::KindName() const {
  switch (kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kScalar:
      return "a single value";
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a mapping";
  }
  return "";
}

absl::StatusOr<JobNode> JobNodeFromJson(absl::string_view text) {
  FPO_RETURN_IF_ERROR(ParseJson(text).status());
  // Again, in the order of the text: the first set of data.eval is the one that decides.
  return Convert(nlohmann::ordered_json::parse(text.begin(), text.end()));
}

absl::Status SetJobNode(JobNode* root, absl::string_view key, JobNode value) {
  JobNode* node = root;
  for (absl::string_view part : absl::StrSplit(key, '.')) {
    if (node->kind == JobNode::Kind::kList) {
      size_t index = 0;
      if (!absl::SimpleAtoi(part, &index) || index >= node->items.size()) {
        return absl::InvalidArgumentError(absl::StrCat(
            key, ": \"", part, "\" is not a position in a list of ", node->items.size()));
      }
      node = &node->items[index];
      continue;
    }
    if (node->kind == JobNode::Kind::kScalar || part.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(key, ": there is no such key"));
    }
    node->kind = JobNode::Kind::kMap;
    node = FindOrAdd(node, part);
  }
  *node = std::move(value);
  return absl::OkStatus();
}

int LineOfKey(const JobNode& root, absl::string_view key) {
  const JobNode* node = &root;
  int line = 0;
  for (absl::string_view part : absl::StrSplit(key, '.')) {
    size_t index = 0;
    const JobNode* next = node->Find(part);
    if (next == nullptr && node->kind == JobNode::Kind::kList && absl::SimpleAtoi(part, &index) &&
        index < node->items.size()) {
      next = &node->items[index];
    }
    if (next == nullptr) break;
    node = next;
    if (node->line != 0) line = node->line;
  }
  return line;
}

}  // namespace fpo
