#include "train/chat/jinja_template.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"

namespace fpo::embedded {
extern const absl::string_view kRenderChatPy;
}

namespace fpo::train {
namespace {

using Json = nlohmann::json;

constexpr absl::Duration kStartTimeout = absl::Seconds(60);
constexpr size_t kResponseBytesMax = size_t{1} << 29;
constexpr int64_t kCharactersMax = int64_t{16} << 20;  // of one conversation
constexpr size_t kRequestBytesMax = size_t{8} << 20;   // of one exchange, unless one row is longer
constexpr char kPackage[] =
    "it is rendered by Jinja in Python, which this machine lacks; install the Debian package "
    "python3-jinja2 (apt-get install python3-jinja2)";

Json MessageJson(const Message& message, bool with_parts) {
  Json content = message.content;
  if (with_parts && !message.parts.empty()) {
    content = Json::array();
    for (const std::string& part : message.parts) {
      content.push_back({{"type", "text"}, {"text", part}});
    }
  }
  return {{"role", message.role}, {"content", std::move(content)}};
}

std::string RequestLine(absl::Span<const JinjaRequest> requests, bool with_parts) {
  Json items = Json::array();
  for (const JinjaRequest& request : requests) {
    Json messages = Json::array();
    for (const Message& message : request.messages) {
      messages.push_back(MessageJson(message, with_parts));
    }
    items.push_back({{"messages", std::move(messages)}, {"asks", request.asks}});
  }
  return items.dump();
}

size_t BytesOf(const JinjaRequest& request) {
  size_t bytes = 0;
  for (const Message& message : request.messages) bytes += message.content.size();
  return bytes;
}

JinjaText TextOf(const Json& item) {
  JinjaText text;
  if (item.contains("error")) {
    text.error = item.value("error", "");
    if (text.error.empty()) text.error = "it failed";
    return text;
  }
  text.text = item.value("text", "");
  for (const Json& span : item.value("spans", Json::array())) {
    text.spans.emplace_back(span[0].get<size_t>(), span[1].get<size_t>());
  }
  return text;
}

absl::StatusOr<Json> Answer(LineProcess* process, const std::string& line, absl::Duration timeout) {
  FPO_ASSIGN_OR_RETURN(const std::string response,
                       process->Exchange(line, timeout, kResponseBytesMax));
  Json json = Json::parse(response, nullptr, /*allow_exceptions=*/false);
  if (json.is_object()) return json;
  return absl::UnavailableError("the process gave no JSON");
}

// The helper in one Python, or nullopt when that has no Jinja.
std::optional<LineProcess> TryPython(const std::string& python) {
  auto process =
      LineProcess::Start({python, "-I", "-X", "utf8", "-c", std::string(embedded::kRenderChatPy)});
  if (!process.ok()) return std::nullopt;
  const absl::StatusOr<Json> answer = Answer(&*process, "{}", kStartTimeout);
  if (!answer.ok() || !answer->contains("jinja")) return std::nullopt;
  return *std::move(process);
}

absl::Status BroughtDown(const std::string& name, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("the chat template ", name, " brings its renderer down: ", why));
}

absl::Status Compile(const JinjaTemplate::Options& options, LineProcess* process) {
  const Json request = {{"template", options.text},
                        {"tokens", options.tokens},
                        {"seconds", options.seconds},
                        {"characters", kCharactersMax}};
  const absl::StatusOr<Json> answer =
      Answer(process, request.dump(), absl::Seconds(options.hang_seconds));
  if (!answer.ok()) return BroughtDown(options.name, answer.status().message());
  if (!answer->contains("error")) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the chat template ", options.name,
                   " is not a template that Jinja accepts: ", answer->value("error", "")));
}

}  // namespace

JinjaTemplate::JinjaTemplate(Options options, LineProcess process)
    : options_(std::move(options)), process_(std::move(process)) {}

absl::StatusOr<std::unique_ptr<JinjaTemplate>> JinjaTemplate::Start(Options options) {
  for (const std::string& python : options.pythons) {
    std::optional<LineProcess> process = TryPython(python);
    if (!process) continue;
    FPO_RETURN_IF_ERROR(Compile(options, &*process));
    return std::unique_ptr<JinjaTemplate>(
        new JinjaTemplate(std::move(options), *std::move(process)));
  }
  return absl::FailedPreconditionError(absl::StrCat("the chat template ", options.name,
                                                    " is not Gemma's own: ", kPackage,
                                                    ", or set data.template to gemma or none"));
}

absl::StatusOr<std::vector<JinjaText>> JinjaTemplate::Render(
    absl::Span<const JinjaRequest> requests, bool with_parts) {
  const absl::MutexLock lock(&mutex_);
  std::vector<JinjaText> texts;
  size_t begin = 0, bytes = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    bytes += BytesOf(requests[i]);
    const bool last = i + 1 == requests.size();
    if (!last && bytes + BytesOf(requests[i + 1]) <= kRequestBytesMax) continue;
    FPO_RETURN_IF_ERROR(RenderSome(requests.subspan(begin, i + 1 - begin), with_parts, &texts));
    begin = i + 1;
    bytes = 0;
  }
  return texts;
}

absl::Status JinjaTemplate::RenderSome(absl::Span<const JinjaRequest> requests, bool with_parts,
                                       std::vector<JinjaText>* texts) {
  const absl::StatusOr<Json> answer =
      Answer(&process_, RequestLine(requests, with_parts), absl::Seconds(options_.hang_seconds));
  if (!answer.ok()) return BroughtDown(options_.name, answer.status().message());
  const Json items = answer->value("texts", Json());
  if (!items.is_array() || items.size() != requests.size()) {
    return BroughtDown(options_.name, "it gave another number of texts");
  }
  for (const Json& item : items) texts->push_back(TextOf(item));
  uses_date_ |= answer->value("uses_date", false);
  return absl::OkStatus();
}

bool JinjaTemplate::uses_date() const {
  const absl::MutexLock lock(&mutex_);
  return uses_date_;
}

}  // namespace fpo::train
