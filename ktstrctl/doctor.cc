// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "kernel/cache.h"
#include "kernel/resolve.h"
#include "ktstrctl/libexec.h"
#include "nlohmann/json.hpp"
#include "results/printable.h"
#include "results/result_directory.h"

namespace ktstr::ktstrctl {
namespace {

using ::nlohmann::json;
using State = Check::State;

constexpr absl::Duration kProbeTimeout = absl::Seconds(20);
constexpr int64_t kLowMemoryMib = 1024;
constexpr uint64_t kLowDiskMib = 1024;

constexpr char kLabHost[] =
    "run inside the emulated lab host: tools/labhost -- COMMAND";

Check Micro() {
  Check check = {.name = "micro-guests"};
  absl::StatusOr<std::string> vmm = FindProgramOfOurs("vmm");
  if (!vmm.ok()) {
    check.state = State::kFail;
    check.detail = "not run: vmm was not found";
    return check;
  }
  absl::StatusOr<CommandOutput> output =
      RunCommand({.argv = {*vmm, "--probe"}}, kProbeTimeout, 1u << 20);
  if (!output.ok()) {
    check.state = State::kFail;
    check.detail = absl::StrCat("vmm --probe: ", output.status().message());
    return check;
  }
  return ReadProbe(output->out);
}

std::string Text(const json& object, const char* key) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return "";
  return results::PrintableLine(found->get<std::string>(), 500);
}

Check Programs() {
  std::vector<std::string> missing;
  for (const char* name : {"coordinator", "hostd", "vmm", "guestd"}) {
    if (!FindProgramOfOurs(name).ok()) missing.push_back(name);
  }
  if (missing.empty()) {
    return {.state = State::kOk, .name = "programs", .detail = LibexecDir()};
  }
  return {.state = State::kFail,
          .name = "programs",
          .detail = absl::StrCat(absl::StrJoin(missing, ", "), " not in ",
                                 LibexecDir()),
          .advice = "put them beside ktstrctl or set KTSTR_LIBEXEC"};
}

Check Cache() {
  absl::StatusOr<std::string> dir = CacheDir();
  if (!dir.ok()) {
    return {.state = State::kFail,
            .name = "cache",
            .detail = std::string(dir.status().message()),
            .advice = "set KTSTR_CACHE_DIR"};
  }
  absl::Status writable = results::CheckWritable(*dir);
  if (writable.ok()) {
    return {.state = State::kOk, .name = "cache", .detail = *dir};
  }
  return {.state = State::kFail,
          .name = "cache",
          .detail = std::string(writable.message()),
          .advice = "set KTSTR_CACHE_DIR to a directory you can write"};
}

// A missing kernel can be built; a run may name another one.
Check Kernel() {
  Check check = {.state = State::kWarn, .name = "kernel"};
  absl::StatusOr<kernel::KernelCache> cache = kernel::KernelCache::Open();
  if (!cache.ok()) {
    check.detail = std::string(cache.status().message());
    return check;
  }
  absl::StatusOr<kernel::ResolvedKernel> found =
      kernel::ResolveKernel("", *cache);
  if (!found.ok()) {
    check.detail = results::PrintableLine(found.status().message(), 500);
    check.advice = "ktstrctl kernel build 6.12, or --kernel PATH";
    return check;
  }
  check.state = State::kOk;
  check.detail = results::PrintableLine(
      absl::StrCat(found->version, " from ", found->origin), 500);
  if (found->config && !found->config->IsBuiltIn("SCHED_CLASS_EXT")) {
    check.state = State::kWarn;
    absl::StrAppend(&check.detail, ", CONFIG_SCHED_CLASS_EXT is not set");
    check.advice = "ktstrctl kernel build 6.12 for sched_ext schedulers";
  }
  return check;
}

Check Memory() {
  Check check = {.state = State::kWarn, .name = "memory"};
  int64_t kib = 0;
  absl::StatusOr<std::string> info = ReadFile("/proc/meminfo", 1u << 20);
  if (info.ok()) {
    for (absl::string_view line : absl::StrSplit(*info, '\n')) {
      if (!absl::ConsumePrefix(&line, "MemAvailable:")) continue;
      std::vector<absl::string_view> words =
          absl::StrSplit(line, ' ', absl::SkipWhitespace());
      if (!words.empty() && !absl::SimpleAtoi(words[0], &kib)) kib = 0;
    }
  }
  if (kib == 0) {
    check.detail = "/proc/meminfo does not say";
    return check;
  }
  check.detail = absl::StrCat(kib / 1024, " MiB available");
  if (kib / 1024 >= kLowMemoryMib) {
    check.state = State::kOk;
  } else {
    check.advice = absl::StrCat("a guest of 16 CPUs takes 1024 MiB");
  }
  return check;
}

Check Disk() {
  Check check = {.state = State::kWarn, .name = "disk"};
  struct statvfs info;
  if (statvfs("/tmp", &info) != 0) {
    check.detail = absl::StrCat("/tmp: ", strerror(errno));
    return check;
  }
  uint64_t mib = uint64_t{info.f_bavail} * info.f_frsize >> 20;
  check.detail = absl::StrCat(mib, " MiB free in /tmp");
  if (mib >= kLowDiskMib) {
    check.state = State::kOk;
  } else {
    check.advice = "free some, or set TMPDIR";
  }
  return check;
}

}  // namespace

absl::string_view StateName(Check::State state) {
  switch (state) {
    case State::kOk:
      return "ok";
    case State::kWarn:
      return "warn";
    default:
      return "fail";
  }
}

Check CheckKvmDevice(const std::string& path) {
  Check check = {.state = State::kFail, .name = "kvm"};
  UniqueFd kvm(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (kvm) {
    check.state = State::kOk;
    check.detail = absl::StrCat(path, " opens");
    return check;
  }
  int error = errno;
  check.detail = absl::StrCat(path, ": ", strerror(error));
  if (error == EACCES || error == EPERM) {
    check.advice =
        "join the group that owns it (usermod -aG kvm USER) and log in again";
  } else {
    check.advice = absl::StrCat(
        "load the module (modprobe kvm_intel or kvm_amd), switch "
        "virtualisation on in the firmware, or, on a cloud machine, choose a "
        "type with nested virtualisation; or ",
        kLabHost);
  }
  return check;
}

Check ReadProbe(absl::string_view output) {
  Check check = {.state = State::kFail, .name = "micro-guests"};
  json report = json::parse(output.begin(), output.end(), nullptr,
                            /*allow_exceptions=*/false);
  if (!report.is_object() || !report.contains("usable") ||
      !report["usable"].is_boolean()) {
    check.detail = "vmm --probe gave no report";
    return check;
  }
  if (report["usable"].get<bool>()) {
    check.state = State::kOk;
    const json& mips = report.value("kernel_mode_mips", json());
    check.detail =
        mips.is_number()
            ? absl::StrFormat("kernel mode runs at %.0f MIPS or more",
                              mips.get<double>())
            : "they run";
    return check;
  }
  check.detail = Text(report, "reason");
  if (check.detail.empty()) check.detail = "KVM cannot run Linux here";
  check.advice = Text(report, "advice");
  if (check.advice.empty()) check.advice = kLabHost;
  return check;
}

std::vector<Check> Examine() {
  return {CheckKvmDevice("/dev/kvm"),
          Micro(),
          Programs(),
          Cache(),
          Kernel(),
          Memory(),
          Disk()};
}

}  // namespace ktstr::ktstrctl
