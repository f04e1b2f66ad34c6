#include "common/error_info.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/cord.h"
#include "absl/types/optional.h"

namespace fpo {
namespace {

constexpr int kReason = 1, kField = 2, kHint = 3, kIds = 4;
constexpr int kLengthDelimited = 2;  // the only wire type of ErrorDetail

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

void AppendString(int field, const std::string& value, std::string* out) {
  AppendVarint(static_cast<uint64_t>(field) << 3 | kLengthDelimited, out);
  AppendVarint(value.size(), out);
  out->append(value);
}

std::optional<uint64_t> ReadVarint(const std::string& bytes, size_t* at) {
  uint64_t value = 0;
  for (int shift = 0; shift < 63 && *at < bytes.size(); shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes[(*at)++]);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string EncodeErrorInfo(const ErrorInfo& info) {
  std::string out;
  if (!info.reason.empty()) AppendString(kReason, info.reason, &out);
  if (!info.field.empty()) AppendString(kField, info.field, &out);
  if (!info.hint.empty()) AppendString(kHint, info.hint, &out);
  for (const std::string& id : info.ids) AppendString(kIds, id, &out);
  return out;
}

std::optional<ErrorInfo> DecodeErrorInfo(const std::string& bytes) {
  ErrorInfo info;
  for (size_t at = 0; at < bytes.size();) {
    const std::optional<uint64_t> tag = ReadVarint(bytes, &at);
    if (!tag || (*tag & 7) != kLengthDelimited) return std::nullopt;
    const std::optional<uint64_t> length = ReadVarint(bytes, &at);
    if (!length || *length > bytes.size() - at) return std::nullopt;
    std::string value = bytes.substr(at, *length);
    at += *length;
    switch (*tag >> 3) {
      case kReason:
        info.reason = std::move(value);
        break;
      case kField:
        info.field = std::move(value);
        break;
      case kHint:
        info.hint = std::move(value);
        break;
      case kIds:
        info.ids.push_back(std::move(value));
        break;
      default:
        break;  // a field of a newer version
    }
  }
  return info;
}

void AttachErrorInfo(absl::Status* status, const ErrorInfo& info) {
  status->SetPayload(kErrorInfoType, absl::Cord(EncodeErrorInfo(info)));
}

absl::Status WithErrorInfo(absl::Status status, const ErrorInfo& info) {
  AttachErrorInfo(&status, info);
  return status;
}

std::optional<ErrorInfo> GetErrorInfo(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kErrorInfoType);
  if (!payload) return std::nullopt;
  return DecodeErrorInfo(std::string(*payload));
}

std::string ErrorReason(const absl::Status& status) {
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  return info ? info->reason : "";
}

}  // namespace fpo
