#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace fpo {

struct HttpReply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = {};
  std::string policy = {};  // the Content-Security-Policy of a page
};

// What is known of a request before its body is read.
struct HttpHead {
  std::string method = {};
  std::string peer = {};  // the other end's address in numbers, without its port
  // Headers; nullopt: the request has none of this name.
  std::optional<std::string> host = {}, origin = {}, fetch_site = {}, content_type = {};
  std::optional<std::string> length = {}, authorization = {};
  // X-FPO-Page, which a page of another site can only send after asking this server, which says no.
  bool has_mark = false;
};

inline constexpr size_t kHttpBodyBytesMax = 64 << 10;

// An address in numbers, or localhost: what a page of another site cannot have in its own URL.
// `host`: of a header Host, with or without a port.
bool IsNumericOrLocalHost(absl::string_view host);

// Whether no byte of the request crossed a network: both ends are this machine.
bool IsFromThisMachine(const HttpHead& head);

// The token of "Authorization: Bearer TOKEN"; "" without one.
std::string TokenOf(const HttpHead& head);

// Why a request to a path that takes tokens is not answered; nullopt: it is. A token is taken from
// this machine alone, since the server has no TLS. A POST changes something: it too must come from
// this machine, and from a page of this server or a program, never from a page of another site.
std::optional<HttpReply> RefusalOf(const HttpHead& head);

}  // namespace fpo
