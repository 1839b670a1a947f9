// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_ENVIRONMENT_H_
#define KTSTR_GUESTD_ENVIRONMENT_H_

#include <string>
#include <vector>

namespace ktstr::guestd {

// Entries by which programs find the shared libraries that were packed away
// from their usual place; empty when there are none.
std::vector<std::string> LibraryEnvironment();

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_ENVIRONMENT_H_
