#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo {

// A value that a template is filled in with.
struct TemplateChoice {
  std::string key;     // dotted, "model.dtype", "sae.path", "name"
  std::string value;   // as YAML writes it
  std::string reason;  // a comment above the line; empty: none
  bool set = true;     // false: the value stays a comment, for the user to take
};

// A job file for a method or kind ("fpo", "dpo", "sft", "sae", ...). What must be set stands at the
// top, as stand-ins unless chosen; every other key is a comment with its default, and taking away
// the comment sign sets it. NotFound lists the names.
absl::StatusOr<std::string> JobTemplate(absl::string_view name,
                                        const std::vector<TemplateChoice>& choices = {});

// The method of a template: of a kind the one its job has. "": no such template.
std::string TemplateMethod(absl::string_view name);

// A string as YAML writes it: plain where that is safe, else in quotes.
std::string YamlText(const std::string& text);

}  // namespace fpo
