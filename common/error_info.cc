#include "common/error_info.h"

#include <cstddef>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"

namespace fpo {
namespace {

// Names of the payloads. The reason is always attached, even when it is unspecified.
constexpr char kReason[] = "fpo/reason";
constexpr char kField[] = "fpo/field";
constexpr char kHint[] = "fpo/hint";

std::string IdPayload(size_t index) { return absl::StrCat("fpo/id/", index); }

std::optional<std::string> Payload(const absl::Status& status, absl::string_view name) {
  const absl::optional<absl::Cord> payload = status.GetPayload(name);
  if (!payload) return std::nullopt;
  return std::string(*payload);
}

void SetPayload(absl::Status* status, absl::string_view name, const std::string& value) {
  status->ErasePayload(name);
  if (!value.empty()) status->SetPayload(name, absl::Cord(value));
}

}  // namespace

void AttachErrorInfo(absl::Status* status, const ErrorInfo& info) {
  status->SetPayload(kReason, absl::Cord(ErrorReasonName(info.reason)));
  SetPayload(status, kField, info.field);
  SetPayload(status, kHint, info.hint);
  for (size_t i = 0; i < info.ids.size(); ++i) {
    status->SetPayload(IdPayload(i), absl::Cord(info.ids[i]));
  }
  for (size_t i = info.ids.size(); status->ErasePayload(IdPayload(i)); ++i) continue;
}

absl::Status WithErrorInfo(absl::Status status, const ErrorInfo& info) {
  AttachErrorInfo(&status, info);
  return status;
}

std::optional<ErrorInfo> GetErrorInfo(const absl::Status& status) {
  const std::optional<std::string> reason = Payload(status, kReason);
  if (!reason) return std::nullopt;
  ErrorInfo info{.reason = ErrorReasonFromName(*reason),
                 .field = Payload(status, kField).value_or(""),
                 .hint = Payload(status, kHint).value_or("")};
  for (size_t i = 0;; ++i) {
    std::optional<std::string> id = Payload(status, IdPayload(i));
    if (!id) return info;
    info.ids.push_back(*std::move(id));
  }
}

ErrorReason ReasonOf(const absl::Status& status) {
  return ErrorReasonFromName(Payload(status, kReason).value_or(""));
}

}  // namespace fpo
