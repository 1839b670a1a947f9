// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"
#include "model/scheduler_rules.h"

namespace ktstr::guestd {
namespace {

absl::Status Refuse(const std::string& value, const char* why) {
  if (why == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("\"", absl::CHexEscape(value), "\" ", why));
}

// One write(2), as the kernel's files want it. `what` begins the message.
absl::Status WriteSetting(const std::string& what, const std::string& path,
                          const std::string& value) {
  // Not a FIFO, and nothing that is not there already.
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) {
    return absl::FailedPreconditionError(absl::StrCat(
        what, ": ", errno == ENOENT ? "this kernel does not have " : "open ",
        path, errno == ENOENT ? "" : ": ",
        errno == ENOENT ? "" : strerror(errno)));
  }
  ssize_t count = 0;
  do {
    count = write(fd.get(), value.data(), value.size());
  } while (count < 0 && errno == EINTR);
  if (count == static_cast<ssize_t>(value.size())) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      what, ": ", path, " does not take \"", absl::CHexEscape(value),
      "\": ", count < 0 ? strerror(errno) : "it was cut short"));
}

absl::Status SetSysctl(const v1::Sysctl& sysctl, const SetupRoots& roots) {
  ABSL_RETURN_IF_ERROR(Refuse(sysctl.key(), SysctlKeyProblem(sysctl.key())));
  ABSL_RETURN_IF_ERROR(
      Refuse(sysctl.value(), SetupValueProblem(sysctl.value())));
  return WriteSetting(
      absl::StrCat("sysctl ", sysctl.key()),
      JoinPath(roots.sysctls, absl::StrReplaceAll(sysctl.key(), {{".", "/"}})),
      sysctl.value());
}

// Each directory hands both controllers on to the next.
absl::Status MakeCgroupParent(const std::string& path,
                              const SetupRoots& roots) {
  ABSL_RETURN_IF_ERROR(Refuse(path, CgroupParentProblem(path)));
  const std::string what = absl::StrCat("cgroup_parent ", path);
  std::string dir = roots.cgroups;
  for (size_t slash = 0; slash != std::string::npos;) {
    ABSL_RETURN_IF_ERROR(WriteSetting(
        what, JoinPath(dir, "cgroup.subtree_control"), "+cpuset +cpu"));
    slash = path.find('/', slash + 1);
    dir = absl::StrCat(roots.cgroups, path.substr(0, slash));
    if (mkdir(dir.c_str(), 0755) != 0 && errno != EEXIST) {
      return absl::FailedPreconditionError(
          absl::StrCat(what, ": make ", dir, ": ", strerror(errno)));
    }
  }
  return absl::OkStatus();
}

absl::Status WriteFileSetting(const v1::FileWrite& write,
                              const SetupRoots& roots, const char* what) {
  ABSL_RETURN_IF_ERROR(Refuse(write.path(), SetupFileProblem(write.path())));
  ABSL_RETURN_IF_ERROR(Refuse(write.value(), SetupValueProblem(write.value())));
  return WriteSetting(what, absl::StrCat(roots.files, write.path()),
                      write.value());
}

}  // namespace

absl::Status ApplySetup(const v1::SchedulerSetup& setup,
                        const SetupRoots& roots) {
  for (const v1::Sysctl& sysctl : setup.sysctls()) {
    ABSL_RETURN_IF_ERROR(SetSysctl(sysctl, roots));
  }
  if (!setup.cgroup_parent().empty()) {
    ABSL_RETURN_IF_ERROR(MakeCgroupParent(setup.cgroup_parent(), roots));
  }
  for (const v1::FileWrite& write : setup.enable()) {
    ABSL_RETURN_IF_ERROR(WriteFileSetting(write, roots, "enable"));
  }
  return absl::OkStatus();
}

absl::Status UndoSetup(const v1::SchedulerSetup& setup,
                       const SetupRoots& roots) {
  absl::Status first;
  for (const v1::FileWrite& write : setup.disable()) {
    absl::Status status = WriteFileSetting(write, roots, "disable");
    if (first.ok()) first = status;
  }
  return first;
}

std::string CgroupParentDir(const v1::SchedulerSetup& setup,
                            const SetupRoots& roots) {
  if (setup.cgroup_parent().empty()) return "";
  return absl::StrCat(roots.cgroups, setup.cgroup_parent());
}

}  // namespace ktstr::guestd
