#include "common/observe/http_guard.h"

#include <arpa/inet.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace fpo {
namespace {

constexpr char kNotHere[] =
    "This server has no TLS: it takes tokens and changes only from its own machine, under the name "
    "localhost or 127.0.0.1. Use fpoctl, or forward the port, e.g. ssh -L 7071:localhost:7071 "
    "HOST.\n";
constexpr char kForeign[] =
    "Refused: not from a page of this server. Programs: send X-FPO-Page: 1 and no Origin.\n";

// A host without its port, an IPv6 address without its brackets.
std::string NameOf(absl::string_view host) {
  const size_t bracket = host.find(']');
  const size_t colon = bracket == absl::string_view::npos ? host.rfind(':') : bracket + 1;
  absl::string_view name = host.substr(0, colon);
  if (absl::ConsumePrefix(&name, "[") && !absl::ConsumeSuffix(&name, "]")) return "";
  return absl::AsciiStrToLower(name);
}

bool IsNumber(const std::string& name, bool bracketed) {
  in6_addr bytes{};
  return inet_pton(bracketed ? AF_INET6 : AF_INET, name.c_str(), &bytes) == 1;
}

bool IsLoopbackNumber(const std::string& address) {
  in_addr four{};
  if (inet_pton(AF_INET, address.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  in6_addr six{};
  if (inet_pton(AF_INET6, address.c_str(), &six) != 1) return false;
  if (IN6_IS_ADDR_LOOPBACK(&six)) return true;
  return IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127;
}

std::optional<HttpReply> RefusalOfPost(const HttpHead& head) {
  if (!IsFromThisMachine(head)) return HttpReply{.status = 403, .body = kNotHere};
  const bool same_origin = !head.origin || *head.origin == absl::StrCat("http://", *head.host);
  const bool same_site =
      !head.fetch_site || *head.fetch_site == "same-origin" || *head.fetch_site == "none";
  if (!head.has_mark || !same_origin || !same_site) {
    return HttpReply{.status = 403, .body = kForeign};
  }
  absl::string_view type = head.content_type ? *head.content_type : absl::string_view();
  type = absl::StripAsciiWhitespace(type.substr(0, type.find(';')));
  if (!absl::EqualsIgnoreCase(type, "application/json")) {
    return HttpReply{.status = 415, .body = "Content-Type must be application/json\n"};
  }
  size_t length = 0;
  if (!head.length || !absl::SimpleAtoi(*head.length, &length)) {
    return HttpReply{.status = 411, .body = "Content-Length is missing\n"};
  }
  if (length <= kHttpBodyBytesMax) return std::nullopt;
  return HttpReply{.status = 413,
                   .body = absl::StrCat("at most ", kHttpBodyBytesMax, " bytes are taken\n")};
}

}  // namespace

bool IsNumericOrLocalHost(absl::string_view host) {
  const std::string name = NameOf(host);
  return name == "localhost" || IsNumber(name, absl::StartsWith(host, "["));
}

bool IsFromThisMachine(const HttpHead& head) {
  if (!head.host || !IsLoopbackNumber(head.peer)) return false;
  const std::string name = NameOf(*head.host);
  return name == "localhost" || IsLoopbackNumber(name);
}

std::string TokenOf(const HttpHead& head) {
  absl::string_view value = head.authorization ? *head.authorization : absl::string_view();
  return absl::ConsumePrefix(&value, "Bearer ") ? std::string(value) : "";
}

std::optional<HttpReply> RefusalOf(const HttpHead& head) {
  if (head.authorization && !IsFromThisMachine(head)) {
    return HttpReply{
        .status = 403,
        .body = absl::StrCat(kNotHere,
                             "The token of this request crossed a network in the clear: "
                             "replace it.\n")};
  }
  return head.method == "POST" ? RefusalOfPost(head) : std::nullopt;
}

}  // namespace fpo
