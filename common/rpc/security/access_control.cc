#include "common/rpc/security/access_control.h"

#include <sys/stat.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/error_info.h"
#include "common/files/posix_status.h"
#include "common/observe/log.h"
#include "common/rpc/security/token_source.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr absl::Duration kLookAgain = absl::Seconds(1);
constexpr int64_t kFileBytesMax = 16 << 20;

absl::Status CheckFile(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("--access: ", path, " is not a file"));
  }
  if (status.st_size <= kFileBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--access: ", path, " has ", status.st_size, " bytes; at most ", kFileBytesMax));
}

std::vector<std::string> CertificateNames(const grpc::ServerContextBase& call) {
  std::vector<std::string> names;
  const auto auth = call.auth_context();
  if (!auth || !auth->IsPeerAuthenticated()) return names;
  for (const char* property : {"x509_common_name", "x509_subject_alternative_name"}) {
    for (const grpc::string_ref& value : auth->FindPropertyValues(property)) {
      names.emplace_back(value.data(), value.size());
    }
  }
  return names;
}

// Empty: the call has none.
std::string TokenOf(const grpc::ServerContextBase& call) {
  const auto header = call.client_metadata().find("authorization");
  if (header == call.client_metadata().end()) return "";
  absl::string_view value(header->second.data(), header->second.size());
  return absl::ConsumePrefix(&value, "Bearer ") ? std::string(value) : "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<AccessControl>> AccessControl::Open(const std::string& path) {
  auto control = std::unique_ptr<AccessControl>(new AccessControl(path));
  if (path.empty()) return control;
  absl::MutexLock lock(&control->mutex_);
  FPO_RETURN_IF_ERROR(control->Load());
  return control;
}

absl::Status AccessControl::Load() const {
  FPO_RETURN_IF_ERROR(CheckFile(path_));
  std::string version = FileVersion(path_);
  if (version == version_) return absl::OkStatus();
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path_, kFileBytesMax));
  absl::StatusOr<AccessList> list = AccessList::Parse(text);
  if (!list.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--access: ", path_, ": ", list.status().message()));
  }
  list_ = *std::move(list);
  version_ = std::move(version);  // only of what was read: a broken file is tried again
  return absl::OkStatus();
}

void AccessControl::Refresh() const {
  const absl::Time now = BootNow();
  if (now - looked_ < kLookAgain) return;
  looked_ = now;
  const absl::Status loaded = Load();
  if (loaded != problem_ && !loaded.ok()) {
    Log(LogLevel::kError, "the access list cannot be read; the last good one stays in force",
        {{"error", std::string(loaded.message())}});
  }
  problem_ = loaded;
}

absl::Status AccessControl::Check() const {
  if (!has_list()) return absl::OkStatus();
  absl::MutexLock lock(&mutex_);
  Refresh();
  return problem_;
}

void AccessControl::Close(const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  closed_ = why;
}

absl::StatusOr<Principal> AccessControl::Admit(const grpc::ServerContextBase& call,
                                               Role least) const {
  {
    absl::MutexLock lock(&mutex_);
    FPO_RETURN_IF_ERROR(closed_);
  }
  if (!has_list()) return Principal{.name = "", .role = Role::kAdmin};
  const std::string token = TokenOf(call);
  const std::vector<std::string> names = CertificateNames(call);
  const absl::Time now = absl::Now();
  absl::MutexLock lock(&mutex_);
  Refresh();
  if (token.empty() && names.empty()) {
    return WithErrorInfo(
        absl::UnauthenticatedError("this server requires a token, and the call has none"),
        {.reason = ErrorReason::kUnauthenticated,
         .hint = "name a file with your token in FPO_TOKEN_FILE or --token-file"});
  }
  FPO_ASSIGN_OR_RETURN(const Principal caller,
                       token.empty() ? list_.OfCertificate(names, now) : list_.OfToken(token, now));
  if (caller.role >= least) return caller;
  return WithErrorInfo(
      absl::PermissionDeniedError(absl::StrCat(caller.name, " has the role ", RoleName(caller.role),
                                               "; this needs ", RoleName(least))),
      {.reason = ErrorReason::kRole,
       .hint = "ask the server's administrator",
       .ids = {caller.name}});
}

absl::Status NotYours(const Principal& caller, absl::string_view what, absl::string_view owner) {
  return WithErrorInfo(
      absl::PermissionDeniedError(
          absl::StrCat(what, " belongs to ", owner, "; you are ", caller.name)),
      {.reason = ErrorReason::kNotYours, .hint = "only its owner and admins may change it"});
}

}  // namespace fpo
