// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/cpus.h"

#include <fcntl.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/cpu_list.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace ktstr::guestd {
namespace {

constexpr uint64_t kMaxListBytes = 64 << 10;

absl::StatusOr<std::vector<int>> ReadCpus(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxListBytes));
  return ParseCpuList(text);
}

absl::StatusOr<std::vector<int>> OfflineCpus(const std::string& cpu_dir) {
  ABSL_ASSIGN_OR_RETURN(std::vector<int> present,
                        ReadCpus(JoinPath(cpu_dir, "present")));
  ABSL_ASSIGN_OR_RETURN(std::vector<int> online,
                        ReadCpus(JoinPath(cpu_dir, "online")));
  std::vector<int> offline;
  std::set_difference(present.begin(), present.end(), online.begin(),
                      online.end(), std::back_inserter(offline));
  return offline;
}

absl::Status Write(const std::string& path, absl::string_view text) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_WRONLY));
  return WriteAll(fd.get(), text);
}

}  // namespace

absl::Status BringUpCpus(const std::string& cpu_dir) {
  ABSL_ASSIGN_OR_RETURN(std::vector<int> offline, OfflineCpus(cpu_dir));
  if (offline.empty()) return absl::OkStatus();
  absl::Status first_error;
  for (int cpu : offline) {
    first_error.Update(
        Write(absl::StrCat(cpu_dir, "/cpu", cpu, "/online"), "1"));
  }
  ABSL_ASSIGN_OR_RETURN(offline, OfflineCpus(cpu_dir));
  if (offline.empty()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(
      "CPUs ", FormatCpuList(offline), " stayed offline",
      first_error.ok() ? "" : ": ", std::string(first_error.message())));
}

}  // namespace ktstr::guestd
