// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/address.h"

#include <arpa/inet.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace ktstr::ktstrctl {
namespace {

absl::Status BadAddress(absl::string_view address) {
  return absl::InvalidArgumentError(
      absl::StrCat("coordinator address \"", address,
                   "\" is neither unix:PATH nor HOST:PORT"));
}

bool IsNumeric(int family, const std::string& host) {
  unsigned char bytes[sizeof(in6_addr)];
  return inet_pton(family, host.c_str(), bytes) == 1;
}

}  // namespace

absl::StatusOr<std::string> GrpcTarget(absl::string_view address) {
  constexpr absl::string_view kUnix = "unix:";
  if (absl::StartsWith(address, kUnix)) {
    if (address.size() == kUnix.size()) return BadAddress(address);
    return std::string(address);
  }
  size_t colon = address.rfind(':');
  int port = 0;
  if (colon == absl::string_view::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 1 ||
      port > 65535) {
    return BadAddress(address);
  }
  std::string host(address.substr(0, colon));
  if (host == "localhost") host = "127.0.0.1";
  if (IsNumeric(AF_INET, host)) return absl::StrCat("ipv4:", host, ":", port);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    if (!IsNumeric(AF_INET6, host.substr(1, host.size() - 2))) {
      return BadAddress(address);
    }
    return absl::StrCat("ipv6:", host, ":", port);
  }
  if (absl::StrContains(host, ":") || absl::StrContains(host, "/")) {
    return BadAddress(address);
  }
  return absl::StrCat("dns:///", host, ":", port);
}

}  // namespace ktstr::ktstrctl
