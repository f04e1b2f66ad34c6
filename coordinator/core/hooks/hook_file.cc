#include "coordinator/core/hooks/hook_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/posix_status.h"
#include "common/http/http_url.h"
#include "common/job/job_yaml.h"
#include "common/status_macros.h"

namespace fpo::coordinator {
namespace {

constexpr int64_t kFileBytesMax = 1 << 20;
constexpr int64_t kKeyBytesMax = 16 << 10;
constexpr size_t kHooksMax = 100;
constexpr size_t kSecretBytesMin = 16;

const char kKnown[] =
    "name, url, url_file, secret_file, events, owner, job, format, on_request, allow_http";

class HookReader {
 public:
  HookReader(std::vector<JobProblem>* problems, std::string folder)
      : problems_(problems), folder_(std::move(folder)) {}

  HookSettings Read(const JobNode& root) {
    HookSettings settings;
    if (root.kind != JobNode::Kind::kMap || root.Find("hooks") == nullptr) {
      Complain(root, "hooks", "is missing: hooks: [{name: ..., url: ..., events: [...]}, ...]");
      return settings;
    }
    for (const auto& [key, node] : root.members) {
      if (key == "ca_file") {
        settings.ca_file = Path(Text(node, key));
      } else if (key != "hooks") {
        Complain(node, key, "unknown key; known here: hooks, ca_file");
      }
    }
    const JobNode& hooks = *root.Find("hooks");
    if (hooks.kind != JobNode::Kind::kList || hooks.items.size() > kHooksMax) {
      Complain(hooks, "hooks", absl::StrCat("must be a list of at most ", kHooksMax, " mappings"));
      return settings;
    }
    for (const JobNode& item : hooks.items) {
      Hook hook = ReadHook(item);
      for (const Hook& other : settings.hooks) {
        if (other.name == hook.name) Complain(item, "name", "is another hook's name");
      }
      settings.hooks.push_back(std::move(hook));
    }
    return settings;
  }

 private:
  void Complain(const JobNode& node, const std::string& key, std::string message) {
    problems_->push_back({node.line, key, std::move(message)});
  }

  std::string Text(const JobNode& node, const std::string& key) {
    if (node.kind == JobNode::Kind::kScalar && !node.text.empty()) return node.text;
    Complain(node, key, "must be text");
    return "";
  }

  bool Truth(const JobNode& node, const std::string& key) {
    const std::string text = Text(node, key);
    if (text != "true" && text != "false") Complain(node, key, "must be true or false");
    return text == "true";
  }

  std::string Path(const std::string& path) const {
    return path.empty() || path[0] == '/' ? path : absl::StrCat(folder_, "/", path);
  }

  // The first line of a file of the operator's.
  std::string KeyIn(const JobNode& node, const std::string& key) {
    const std::string path = Path(Text(node, key));
    if (path == "/" || path.empty()) return "";
    const auto text = ReadFile(path, kKeyBytesMax);
    if (!text.ok()) {
      Complain(node, key, std::string(text.status().message()));
      return "";
    }
    const std::string line(absl::StripAsciiWhitespace(text->substr(0, text->find('\n'))));
    if (line.empty()) Complain(node, key, absl::StrCat(path, " has an empty first line"));
    return line;
  }

  void ReadEvents(const JobNode& node, Hook* hook) {
    std::vector<JobNode> items = node.items;
    if (node.kind == JobNode::Kind::kScalar) items = {node};
    for (const JobNode& item : items) {
      const auto event = FromName<HookEvent>(item.text);
      if (event.has_value()) {
        hook->events.insert(*event);
      } else {
        Complain(item, "events",
                 absl::StrCat("\"", item.text, "\" is not one of ",
                              absl::StrJoin(EnumNames<HookEvent>::kNames, ", ")));
      }
    }
  }

  void ReadMember(const JobMember& member, Hook* hook) {
    const auto& [key, node] = member;
    if (key == "name") {
      hook->name = Text(node, key);
    } else if (key == "url") {
      hook->url = Text(node, key);
    } else if (key == "url_file") {
      hook->url = KeyIn(node, key);
    } else if (key == "secret_file") {
      hook->secret = KeyIn(node, key);
      if (hook->secret.size() < kSecretBytesMin) {
        Complain(node, key,
                 absl::StrCat("a secret has at least ", kSecretBytesMin,
                              " characters: openssl rand -hex 32"));
      }
    } else if (key == "events") {
      ReadEvents(node, hook);
    } else if (key == "owner") {
      hook->owner = Text(node, key);
    } else if (key == "job") {
      hook->job = Text(node, key);
    } else if (key == "on_request") {
      hook->on_request = Truth(node, key);
    } else if (key == "format") {
      const std::string format = Text(node, key);
      hook->slack = format == "slack";
      if (format != "slack" && format != "json") Complain(node, key, "must be json or slack");
    } else if (key != "allow_http") {
      Complain(node, key, absl::StrCat("unknown key; known here: ", kKnown));
    }
  }

  Hook ReadHook(const JobNode& item) {
    Hook hook;
    if (item.kind != JobNode::Kind::kMap) {
      Complain(item, "hooks", absl::StrCat("each is a mapping with ", kKnown));
      return hook;
    }
    for (const JobMember& member : item.members) ReadMember(member, &hook);
    const bool word =
        !hook.name.empty() && hook.name.size() <= 32 &&
        hook.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
    if (!word) Complain(item, "name", "must be 1 to 32 of a-z, 0-9 and -");
    if (hook.events.empty()) {
      Complain(
          item, "events",
          absl::StrCat("is missing: some of ", absl::StrJoin(EnumNames<HookEvent>::kNames, ", ")));
    }
    if (item.Find("url") != nullptr && item.Find("url_file") != nullptr) {
      Complain(item, "url", "and url_file are both given: leave one out");
    }
    const JobNode* plain = item.Find("allow_http");
    const bool allow_http = plain != nullptr && Truth(*plain, "allow_http");
    const absl::Status url = CheckHttpUrl(hook.url, allow_http);
    if (!url.ok()) Complain(item, "url", std::string(url.message()));
    return hook;
  }

  std::vector<JobProblem>* problems_;
  const std::string folder_;
};

}  // namespace

absl::StatusOr<HookSettings> ReadHookFile(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kFileBytesMax));
  std::vector<JobProblem> problems;
  FPO_ASSIGN_OR_RETURN(const JobNode root, ParseJobYaml(text, &problems));
  const size_t slash = path.rfind('/');
  HookReader reader(&problems, slash == std::string::npos ? "." : path.substr(0, slash));
  HookSettings settings = reader.Read(root);
  if (problems.empty()) return settings;
  std::vector<std::string> lines;
  for (const JobProblem& problem : problems) {
    lines.push_back(
        absl::StrCat(path, ":", problem.line, ": ", problem.key, ": ", problem.message));
  }
  return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
}

}  // namespace fpo::coordinator
