#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::ctl {

// A named set of services and their credentials. Empty fields are not set.
struct Context {
  std::string server;                                 // host:port
  std::string cache_server;                           // host:port
  std::string tls_ca, tls_cert, tls_key, token_file;  // absolute paths

  bool operator==(const Context&) const = default;
};

// The field's value by its name in the file ("cache_server"), null for another name.
std::string* FieldOf(absl::string_view name, Context* context);

// ~/.config/fpo/config.yaml.
struct ContextFile {
  std::string current;  // empty: none
  std::map<std::string, Context> contexts;

  bool operator==(const ContextFile&) const = default;
};

bool IsContextName(absl::string_view name);  // letters, digits, '.', '_' and '-', at most 63

// Empty when there is no file. InvalidArgument with "path:line: ..." for an invalid one.
absl::StatusOr<ContextFile> ReadContexts(const std::string& path);
// Atomic: readers see the old file or the new one. Creates its folder.
absl::Status WriteContexts(const std::string& path, const ContextFile& file);

}  // namespace fpo::ctl
