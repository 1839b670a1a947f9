// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/isolation.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace ktstr::vmm {
namespace {

constexpr int kNamespaces =
    CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
// proc(5): size, resident, shared, text, lib, data.
constexpr size_t kDataField = 5;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

// Lowers soft and hard limit to `value`; never raises them.
absl::Status Lower(__rlimit_resource resource, rlim_t value, const char* name) {
  rlimit limit;
  if (getrlimit(resource, &limit) != 0) return absl::ErrnoToStatus(errno, name);
  limit.rlim_max = std::min(limit.rlim_max, value);
  limit.rlim_cur = std::min(limit.rlim_cur, value);
  if (setrlimit(resource, &limit) != 0) return absl::ErrnoToStatus(errno, name);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> PrivateBytes() {
  ABSL_ASSIGN_OR_RETURN(std::string text, ReadFile("/proc/self/statm", 4096));
  const std::vector<std::string> fields =
      absl::StrSplit(text, absl::ByAnyChar(" \n"));
  uint64_t pages = 0;
  if (fields.size() <= kDataField ||
      !absl::SimpleAtoi(fields[kDataField], &pages)) {
    return absl::InternalError(absl::StrCat("/proc/self/statm: ", text));
  }
  return pages * uint64_t(sysconf(_SC_PAGESIZE));
}

}  // namespace

bool EnterNamespaces(bool keeps_privileges) {
  if (unshare(kNamespaces) == 0) return true;
  return !keeps_privileges && unshare(CLONE_NEWUSER | kNamespaces) == 0;
}

absl::Status LimitResources() {
  ABSL_RETURN_IF_ERROR(Lower(RLIMIT_CORE, 0, "RLIMIT_CORE"));
  ABSL_RETURN_IF_ERROR(Lower(RLIMIT_NOFILE, kMostDescriptors, "RLIMIT_NOFILE"));
  if (kIsSanitized) return absl::OkStatus();
  ABSL_ASSIGN_OR_RETURN(const uint64_t bytes, PrivateBytes());
  return Lower(RLIMIT_DATA, bytes + kMostGrowthBytes, "RLIMIT_DATA");
}

}  // namespace ktstr::vmm
