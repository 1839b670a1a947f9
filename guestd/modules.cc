// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"
#include "guestd/cmdline.h"

namespace ktstr::guestd {
namespace {

absl::Status LoadModule(const std::string& path, absl::string_view cmdline) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDONLY));
  std::string parameters = ModuleParameters(cmdline, ModuleName(path));
  if (syscall(SYS_finit_module, fd.get(), parameters.c_str(), 0) == 0 ||
      errno == EEXIST) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, absl::StrCat("load module ", path));
}

}  // namespace

std::string ModuleName(absl::string_view path) {
  return absl::StrReplaceAll(absl::StripSuffix(Basename(path), ".ko"),
                             {{"-", "_"}});
}

absl::Status LoadModules(const std::string& order_path,
                         absl::string_view cmdline) {
  if (!FileExists(order_path)) return absl::OkStatus();
  ABSL_ASSIGN_OR_RETURN(std::string order, ReadFile(order_path, 1 << 20));
  for (absl::string_view path :
       absl::StrSplit(order, '\n', absl::SkipWhitespace())) {
    ABSL_RETURN_IF_ERROR(LoadModule(std::string(path), cmdline));
  }
  return absl::OkStatus();
}

}  // namespace ktstr::guestd
