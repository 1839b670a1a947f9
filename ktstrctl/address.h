// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_ADDRESS_H_
#define KTSTR_KTSTRCTL_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr::ktstrctl {

// The gRPC target of what a person writes for --coordinator: "unix:PATH",
// "HOST:PORT" or "[IPV6]:PORT". Numeric addresses and "localhost" need no name
// service, which a static program has only in part.
//
// Errors: InvalidArgument, naming the accepted forms.
absl::StatusOr<std::string> GrpcTarget(absl::string_view address);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_ADDRESS_H_
