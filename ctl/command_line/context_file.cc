#include "ctl/command_line/context_file.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/error_info.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/job/job_yaml.h"
#include "common/status_macros.h"
#include "common/text/json.h"

namespace fpo::ctl {
namespace {

constexpr int64_t kFileBytesMax = 1 << 20;
constexpr const char* kFields[] = {"server",   "cache_server", "tls_ca",
                                   "tls_cert", "tls_key",      "token_file"};

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  absl::Status Wrong(int line, absl::string_view what) const {
    const std::string place = line > 0 ? absl::StrCat(path_, ":", line) : path_;
    return WithErrorInfo(absl::InvalidArgumentError(absl::StrCat(place, ": ", what)),
                         {.reason = ErrorReason::kBadConfig,
                          .hint = "correct the line, or remove the file and start over"});
  }
  absl::StatusOr<ContextFile> Read(const JobNode& root) const {
    ContextFile file;
    if (root.kind == JobNode::Kind::kNull) return file;
    FPO_RETURN_IF_ERROR(Expect(root, JobNode::Kind::kMap, "the file", "a map"));
    for (const auto& [key, node] : root.members) {
      if (key == "current") {
        FPO_RETURN_IF_ERROR(Expect(node, JobNode::Kind::kScalar, key, "the name of a context"));
        file.current = node.text;
      } else if (key == "contexts") {
        FPO_RETURN_IF_ERROR(ReadAll(node, &file));
      } else {
        return Wrong(node.line, absl::StrCat(key, ": unknown key; there are current and contexts"));
      }
    }
    if (!file.current.empty() && file.contexts.count(file.current) == 0) {
      return Wrong(LineOfKey(root, "current"),
                   absl::StrCat("current: there is no context \"", file.current, "\""));
    }
    return file;
  }

 private:
  absl::Status Expect(const JobNode& node, JobNode::Kind kind, absl::string_view key,
                      absl::string_view wanted) const {
    if (node.kind == kind) return absl::OkStatus();
    return Wrong(node.line, absl::StrCat(key, ": is ", node.KindName(), " and must be ", wanted));
  }
  absl::Status ReadAll(const JobNode& contexts, ContextFile* file) const {
    if (contexts.kind == JobNode::Kind::kNull) return absl::OkStatus();
    FPO_RETURN_IF_ERROR(Expect(contexts, JobNode::Kind::kMap, "contexts", "a map"));
    for (const auto& [name, node] : contexts.members) {
      if (!IsContextName(name)) {
        return Wrong(node.line,
                     absl::StrCat("\"", name, "\" is not a valid context name: letters, ",
                                  "digits, '.', '_' and '-', at most 63"));
      }
      FPO_RETURN_IF_ERROR(ReadOne(node, name, &file->contexts[name]));
    }
    return absl::OkStatus();
  }
  absl::Status ReadOne(const JobNode& node, const std::string& name, Context* context) const {
    if (node.kind == JobNode::Kind::kNull) return absl::OkStatus();
    FPO_RETURN_IF_ERROR(Expect(node, JobNode::Kind::kMap, name, "a map"));
    for (const auto& [key, value] : node.members) {
      std::string* const field = FieldOf(key, context);
      if (field == nullptr) {
        return Wrong(value.line, absl::StrCat(name, ".", key, ": unknown key; allowed are ",
                                              absl::StrJoin(kFields, ", ")));
      }
      if (value.kind == JobNode::Kind::kNull) continue;
      FPO_RETURN_IF_ERROR(
          Expect(value, JobNode::Kind::kScalar, absl::StrCat(name, ".", key), "text"));
      *field = value.text;
    }
    return absl::OkStatus();
  }

  const std::string path_;
};

}  // namespace

std::string* FieldOf(absl::string_view name, Context* context) {
  std::string* const fields[] = {&context->server,   &context->cache_server, &context->tls_ca,
                                 &context->tls_cert, &context->tls_key,      &context->token_file};
  for (size_t i = 0; i < std::size(kFields); ++i) {
    if (name == kFields[i]) return fields[i];
  }
  return nullptr;
}

bool IsContextName(absl::string_view name) {
  return !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
}

absl::StatusOr<ContextFile> ReadContexts(const std::string& path) {
  if (path.empty()) return ContextFile();
  const absl::StatusOr<std::string> text = ReadFile(path, kFileBytesMax);
  if (absl::IsNotFound(text.status())) return ContextFile();
  const Reader reader(path);
  if (!text.ok()) return reader.Wrong(0, text.status().message());
  std::vector<JobProblem> problems;
  const absl::StatusOr<JobNode> root = ParseJobYaml(*text, &problems);
  if (!root.ok()) return reader.Wrong(0, root.status().message());
  if (!problems.empty()) {
    return reader.Wrong(problems.front().line, problems.front().message);
  }
  return reader.Read(*root);
}

absl::Status WriteContexts(const std::string& path, const ContextFile& file) {
  std::string text = "# Written by fpoctl context; comments are not kept.\n";
  if (!file.current.empty()) absl::StrAppend(&text, "current: ", JsonQuote(file.current), "\n");
  if (!file.contexts.empty()) absl::StrAppend(&text, "contexts:\n");
  for (const auto& [name, context] : file.contexts) {
    absl::StrAppend(&text, "  ", JsonQuote(name), ":\n");
    Context copy = context;
    for (const char* field : kFields) {
      const std::string& value = *FieldOf(field, &copy);
      if (!value.empty()) absl::StrAppend(&text, "    ", field, ": ", JsonQuote(value), "\n");
    }
  }
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::filesystem::create_directories(folder, error);
  if (error) return PosixError(error.value(), "make the folder", folder.string());
  return WriteFileAtomically(path, text);
}

}  // namespace fpo::ctl
