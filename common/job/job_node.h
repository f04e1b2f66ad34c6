#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo {

struct JobMember;

// A job file before its fields are known: YAML and JSON both become this tree, so that one reader
// checks both. A plain scalar may be read as any type; a quoted one is text.
struct JobNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  int line = 0;  // 1-based; 0 when the source has no lines
  std::string text;
  bool quoted = false;
  std::vector<JobMember> members;
  std::vector<JobNode> items;

  const JobNode* Find(absl::string_view key) const;  // nullptr: absent
  absl::string_view KindName() const;                // "a list"
};

struct JobMember {
  std::string name;
  JobNode node;
};

// InvalidArgument with the parser's message and place.
absl::StatusOr<JobNode> JobNodeFromJson(absl::string_view text);

// Sets the node at a dotted key ("data.train", "sae.0.layer"), creating maps along the way.
// InvalidArgument when a part of the way is a scalar or an index is out of range.
absl::Status SetJobNode(JobNode* root, absl::string_view key, JobNode value);

// The line of the deepest existing node along a dotted key.
int LineOfKey(const JobNode& root, absl::string_view key);

}  // namespace fpo
