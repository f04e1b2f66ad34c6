#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo {

// A value filled into a template.
struct TemplateChoice {
  std::string key;     // dotted, "model.dtype", "sae.path", "name"
  std::string value;   // as YAML writes it
  std::string reason;  // a comment above the line; empty: none
  bool set = true;     // false: stays a comment, for the user to enable
};

// A job file for a method or kind ("fpo", "dpo", "sft", "sae", ...). Keys that must be set are at
// the top, with placeholders unless chosen; every other key is a comment with its default, enabled
// by removing the comment sign. NotFound lists the names.
absl::StatusOr<std::string> JobTemplate(absl::string_view name,
                                        const std::vector<TemplateChoice>& choices = {});

// The method of a template; for a kind, that of its job. "": no such template.
std::string TemplateMethod(absl::string_view name);

// A string as YAML writes it: plain where that is safe, else in quotes.
std::string YamlText(const std::string& text);

}  // namespace fpo
