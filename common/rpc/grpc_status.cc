#include "common/rpc/grpc_status.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <optional>
#include <string>

#include "absl/strings/cord.h"
#include "absl/types/optional.h"
#include "common/error_info.h"

namespace fpo {
namespace {

using google::protobuf::io::ArrayInputStream;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;

// Tags of google.rpc.Status{int32 code = 1; string message = 2; repeated Any details = 3}, which
// Debian ships no header for.
constexpr uint32_t kCodeTag = 1 << 3 | 0;
constexpr uint32_t kMessageTag = 2 << 3 | 2;
constexpr uint32_t kDetailsTag = 3 << 3 | 2;

constexpr int kDetailsMax = 4096;  // metadata limit of gRPC is 8 KiB for all of it

void WriteString(uint32_t tag, const std::string& value, CodedOutputStream* out) {
  out->WriteTag(tag);
  out->WriteVarint32(static_cast<uint32_t>(value.size()));
  out->WriteString(value);
}

std::string EncodeDetails(const absl::Status& status, const std::string& payload) {
  google::protobuf::Any any;
  any.set_type_url(kErrorInfoType);
  any.set_value(payload);
  std::string bytes;
  StringOutputStream stream(&bytes);
  CodedOutputStream out(&stream);
  out.WriteTag(kCodeTag);
  out.WriteVarint32(static_cast<uint32_t>(status.code()));
  WriteString(kMessageTag, std::string(status.message()).substr(0, kDetailsMax / 4), &out);
  WriteString(kDetailsTag, any.SerializeAsString(), &out);
  out.Trim();
  return bytes;
}

// The first ErrorDetail of the details; a peer may send anything here.
std::optional<std::string> FindPayload(const std::string& details) {
  ArrayInputStream stream(details.data(), static_cast<int>(details.size()));
  CodedInputStream in(&stream);
  for (uint32_t tag = in.ReadTag(); tag != 0; tag = in.ReadTag()) {
    uint32_t value = 0;
    if (!in.ReadVarint32(&value)) return std::nullopt;
    if (tag == kCodeTag) continue;
    std::string bytes;
    if ((tag & 7) != 2 || !in.ReadString(&bytes, static_cast<int>(value))) return std::nullopt;
    google::protobuf::Any any;
    if (tag == kDetailsTag && any.ParseFromString(bytes) && any.type_url() == kErrorInfoType) {
      return any.value();
    }
  }
  return std::nullopt;
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message(status.message());
  const absl::optional<absl::Cord> payload = status.GetPayload(kErrorInfoType);
  if (!payload || payload->size() > kDetailsMax) return grpc::Status(code, message);
  return grpc::Status(code, message, EncodeDetails(status, std::string(*payload)));
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  if (const std::optional<std::string> payload = FindPayload(status.error_details())) {
    result.SetPayload(kErrorInfoType, absl::Cord(*payload));
  }
  return result;
}

}  // namespace fpo
