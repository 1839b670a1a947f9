// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_ENVIRONMENT_H_
#define KTSTR_GUESTD_ENVIRONMENT_H_

#include <string>
#include <vector>

#include "model/guest_layout.h"

namespace ktstr::guestd {

// Entries by which programs find the shared libraries that were packed away
// from their usual place; empty when there are none.
std::vector<std::string> LibraryEnvironment();

// "PATH=..." with the directory of files that came along, and every one below
// it that has programs, in front of `path`; empty when nothing came along.
std::vector<std::string> ProgramEnvironment(
    const std::string& path, const std::string& dir = kGuestIncludeDir);

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_ENVIRONMENT_H_
