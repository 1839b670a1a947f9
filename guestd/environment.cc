// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/environment.h"

#include "absl/strings/str_cat.h"
#include "base/elf_libraries.h"
#include "base/file.h"

namespace ktstr::guestd {

std::vector<std::string> LibraryEnvironment() {
  if (!FileExists(kRelocatedLibraryDir)) return {};
  return {absl::StrCat("LD_LIBRARY_PATH=", kRelocatedLibraryDir)};
}

}  // namespace ktstr::guestd
