// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_SCHEDULER_H_
#define KTSTR_KTSTR_SCHEDULER_H_

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

#include "ktstr/checks.h"
#include "ktstr/declared_topology.h"
#include "ktstr/fixed_list.h"
#include "model/scheduler_rules.h"

namespace ktstr {

// Something a scheduler can be started with or without.
struct SchedulerFlag {
  std::string_view name;
  FixedList<std::string_view, 8> args;
  // Names of flags of the same scheduler that must be active too.
  FixedList<std::string_view, 8> requires_flags;
};

// One setting of the guest's kernel: a sysctl by its dotted name, or a file
// below /proc or /sys by its path.
struct KernelSetting {
  std::string_view where;
  std::string_view value;
};

// A scheduler a test declares. A constant, referred to by address:
//
//   constexpr SchedulerDef kMine = SchedulerDef{"mine", "scx_mine"}
//       .arg("--verbose")
//       .flag({.name = "llc", .args = {"--enable-llc"}});
//
// It is one of four kinds: the kernel's default class (no program), a program
// to be found by its name where the run is submitted, a program by its path (it
// has a '/'), or a scheduler inside the kernel (no program, but `enable`).
class SchedulerDef {
 public:
  // `name` is what tables show.
  constexpr explicit SchedulerDef(std::string_view name,
                                  std::string_view binary = {})
      : name_(name), binary_(binary) {}

  constexpr SchedulerDef arg(std::string_view arg) const {
    SchedulerDef copy = *this;
    copy.args_.Append(arg);
    return copy;
  }
  constexpr SchedulerDef flag(const SchedulerFlag& flag) const {
    SchedulerDef copy = *this;
    copy.flags_.Append(flag);
    return copy;
  }
  // The middle layer of checks: defaults < scheduler < test.
  constexpr SchedulerDef checks(const Checks& checks) const {
    SchedulerDef copy = *this;
    copy.checks_ = checks;
    return copy;
  }

  // Of tests that do not say, each field by itself.
  constexpr SchedulerDef topology(const DeclaredTopology& topology) const {
    SchedulerDef copy = *this;
    copy.topology_ = topology;
    return copy;
  }
  constexpr SchedulerDef constraints(
      const DeclaredConstraints& constraints) const {
    SchedulerDef copy = *this;
    copy.constraints_ = constraints;
    return copy;
  }

  // A sysctl of the guest, set before the scheduler starts. In order, so that
  // the last of a key wins; one that the kernel does not have is an ERROR.
  constexpr SchedulerDef sysctl(std::string_view key,
                                std::string_view value) const {
    SchedulerDef copy = *this;
    copy.sysctls_.Append({key, value});
    return copy;
  }
  // A word of the guest kernel's command line. Words that guests are booted and
  // watched by are refused (model/scheduler_rules.h).
  constexpr SchedulerDef karg(std::string_view word) const {
    SchedulerDef copy = *this;
    copy.kargs_.Append(word);
    return copy;
  }
  // "/cells": a cgroup that guestd makes, with cpuset and cpu enabled for it;
  // the test's cgroups are made in it. Adds --cell-parent-cgroup PATH.
  constexpr SchedulerDef cgroup_parent(std::string_view path) const {
    SchedulerDef copy = *this;
    copy.cgroup_parent_ = path;
    return copy;
  }
  // A file of whoever submits, looked for from the working directory and then
  // beside the suite. Adds --config with its place in the guest.
  constexpr SchedulerDef config_file(std::string_view path) const {
    SchedulerDef copy = *this;
    copy.config_file_ = path;
    return copy;
  }
  // A scheduler inside the kernel: written into existing files of the guest
  // before the test, and after it. A write that fails is an ERROR.
  constexpr SchedulerDef enable(std::string_view file,
                                std::string_view value) const {
    SchedulerDef copy = *this;
    copy.enable_.Append({file, value});
    return copy;
  }
  constexpr SchedulerDef disable(std::string_view file,
                                 std::string_view value) const {
    SchedulerDef copy = *this;
    copy.disable_.Append({file, value});
    return copy;
  }

  // How long a task may wait before the kernel's watchdog ends the scheduler,
  // 100 ms to 30 s, in place of what the program asks for. Written by the host;
  // a shorter one holds from the watchdog's next look on, half of the program's
  // own time-out after it attached. One that has no effect is a finding.
  constexpr SchedulerDef watchdog_timeout(
      std::chrono::milliseconds timeout) const {
    SchedulerDef copy = *this;
    copy.watchdog_timeout_ = timeout;
    return copy;
  }

  constexpr std::string_view name() const { return name_; }
  constexpr std::string_view binary() const { return binary_; }
  constexpr const FixedList<std::string_view, 16>& args() const {
    return args_;
  }
  constexpr const FixedList<SchedulerFlag, 24>& flags() const { return flags_; }
  constexpr const Checks& check_layer() const { return checks_; }
  constexpr const DeclaredTopology& topology() const { return topology_; }
  constexpr const DeclaredConstraints& constraints() const {
    return constraints_;
  }
  constexpr const FixedList<KernelSetting, 16>& sysctls() const {
    return sysctls_;
  }
  constexpr const FixedList<std::string_view, 16>& kargs() const {
    return kargs_;
  }
  // Absent: none.
  constexpr const std::optional<std::string_view>& cgroup_parent() const {
    return cgroup_parent_;
  }
  constexpr const std::optional<std::string_view>& config_file() const {
    return config_file_;
  }
  constexpr const std::optional<std::chrono::milliseconds>& watchdog_timeout()
      const {
    return watchdog_timeout_;
  }
  constexpr const FixedList<KernelSetting, 8>& enable_writes() const {
    return enable_;
  }
  constexpr const FixedList<KernelSetting, 8>& disable_writes() const {
    return disable_;
  }

  constexpr const SchedulerFlag* FindFlag(std::string_view name) const {
    for (const SchedulerFlag& flag : flags_) {
      if (flag.name == name) return &flag;
    }
    return nullptr;
  }

 private:
  std::string_view name_;
  std::string_view binary_;
  FixedList<std::string_view, 16> args_;
  FixedList<SchedulerFlag, 24> flags_;
  Checks checks_;
  DeclaredTopology topology_;
  DeclaredConstraints constraints_;
  FixedList<KernelSetting, 16> sysctls_;
  FixedList<std::string_view, 16> kargs_;
  std::optional<std::string_view> cgroup_parent_;
  std::optional<std::string_view> config_file_;
  FixedList<KernelSetting, 8> enable_;
  FixedList<KernelSetting, 8> disable_;
  std::optional<std::chrono::milliseconds> watchdog_timeout_;
};

namespace internal {

// A value of a definition that may not be used.
struct SchedulerProblem {
  std::string_view what;  // "karg", "sysctl", ...
  std::string_view value;
  // Ends the sentence; nullptr: there is no problem.
  const char* why = nullptr;
};

constexpr SchedulerProblem FirstSchedulerProblem(const SchedulerDef& def) {
  if (def.name().empty()) return {"name", "", "is empty"};
  size_t bytes = 0;
  for (std::string_view word : def.kargs()) {
    if (const char* why = KargProblem(word)) return {"karg", word, why};
    bytes += word.size() + 1;
  }
  if (bytes > kMaxKargBytes) {
    return {"kargs", "", "are longer than 1,024 bytes together"};
  }
  for (const KernelSetting& s : def.sysctls()) {
    if (auto why = SysctlKeyProblem(s.where)) return {"sysctl", s.where, why};
    if (auto why = SetupValueProblem(s.value)) {
      return {"sysctl value", s.value, why};
    }
  }
  if (def.cgroup_parent()) {
    std::string_view path = *def.cgroup_parent();
    if (auto why = CgroupParentProblem(path)) {
      return {"cgroup_parent", path, why};
    }
  }
  if (def.config_file()) {
    std::string_view path = *def.config_file();
    if (auto why = ConfigFileProblem(path)) return {"config_file", path, why};
    if (def.binary().empty()) {
      return {"config_file", path, "needs a scheduler that is a program"};
    }
  }
  if (def.watchdog_timeout()) {
    if (const char* why =
            WatchdogTimeoutProblem(def.watchdog_timeout()->count())) {
      return {"watchdog_timeout", "", why};
    }
    if (def.binary().empty()) {
      return {"watchdog_timeout", "", "needs a scheduler that is a program"};
    }
  }
  for (const auto* writes : {&def.enable_writes(), &def.disable_writes()}) {
    for (const KernelSetting& s : *writes) {
      if (auto why = SetupFileProblem(s.where)) return {"file", s.where, why};
      if (auto why = SetupValueProblem(s.value)) return {"value", s.value, why};
    }
  }
  if (!def.binary().empty() &&
      !(def.enable_writes().empty() && def.disable_writes().empty())) {
    return {"binary", def.binary(),
            "is a program, and enable and disable are for a scheduler inside "
            "the kernel"};
  }
  if (def.enable_writes().empty() && !def.disable_writes().empty()) {
    return {"file", def.disable_writes()[0].where,
            "is disabled, but nothing is enabled"};
  }
  return {};
}

}  // namespace internal

}  // namespace ktstr

#endif  // KTSTR_KTSTR_SCHEDULER_H_
