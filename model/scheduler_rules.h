// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What a scheduler may ask of its guest: one rule, checked where it is declared
// (while compiling), where a suite lists itself, and where a submission comes
// in.
//
// Shape: each function returns why a value may not be used, as the end of a
//        sentence that begins with it ("is ..."), or nullptr when it may.
#ifndef KTSTR_MODEL_SCHEDULER_RULES_H_
#define KTSTR_MODEL_SCHEDULER_RULES_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ktstr {

// Bytes of one value, and of all kernel words of a scheduler together: the
// kernel's command line has 2,048 (x86, COMMAND_LINE_SIZE), some of them ours.
inline constexpr size_t kMaxSetupText = 256;
inline constexpr size_t kMaxKargBytes = 1024;

namespace rules_internal {

constexpr bool HasControlBytes(std::string_view text) {
  for (char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) return true;
  }
  return false;
}

constexpr bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// The kernel takes '-' and '_' in a parameter's name for the same
// (kernel/params.c, dash2underscore).
constexpr bool IsSameParameter(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if ((a[i] == '-' ? '_' : a[i]) != (b[i] == '-' ? '_' : b[i])) return false;
  }
  return true;
}

// Words that boot the machine, bring its console and its result to the host, or
// say what it consists of, which its topology does.
inline constexpr std::string_view kReservedParameters[] = {
    "console",
    "earlycon",
    "earlyprintk",
    "loglevel",
    "ignore_loglevel",
    "quiet",
    "debug",
    "init",
    "rdinit",
    "initrd",
    "noinitrd",
    "root",
    "rootfstype",
    "nokaslr",
    "kaslr",
    "reboot",
    "panic",
    "pci",
    "acpi",
    "tsc",
    "noreplace_smp",
    "numa",
    "no_timer_check",
    "irqaffinity",
    "maxcpus",
    "nr_cpus",
    "nosmp",
    "possible_cpus",
    "mem",
    "memmap",
    "noapic",
    "nolapic",
    "nox2apic",
    "cgroup_disable",
};
inline constexpr std::string_view kReservedPrefixes[] = {
    "ktstr.", "virtio_mmio.", "i8042.", "8250."};

constexpr bool IsPathOfProperParts(std::string_view path) {
  size_t start = 1;
  while (start <= path.size()) {
    size_t end = path.find('/', start);
    if (end == std::string_view::npos) end = path.size();
    std::string_view part = path.substr(start, end - start);
    if (part.empty() || part == "." || part == "..") return false;
    start = end + 1;
  }
  return true;
}

}  // namespace rules_internal

// One word of the kernel's command line.
constexpr const char* KargProblem(std::string_view word) {
  using namespace rules_internal;
  if (word.empty()) return "is empty";
  if (word.size() > kMaxSetupText) return "is longer than 256 bytes";
  for (char c : word) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) {
      return "has white space or control characters; each word is one karg";
    }
    if (c == '"' || c == '\'') return "has quotes";
  }
  if (word == "--" || word[0] == '=') return "is no kernel parameter";
  std::string_view name = word.substr(0, word.find('='));
  if (StartsWith(name, "sysctl.")) return "is a sysctl; declare it as one";
  for (std::string_view reserved : kReservedParameters) {
    if (IsSameParameter(name, reserved)) {
      return "is reserved: guests are booted and watched by it";
    }
  }
  for (std::string_view prefix : kReservedPrefixes) {
    if (name.size() >= prefix.size() &&
        IsSameParameter(name.substr(0, prefix.size()), prefix)) {
      return "is reserved: guests are booted and watched by it";
    }
  }
  return nullptr;
}

// A sysctl by its dotted name: "kernel.sched_cfs_bandwidth_slice_us".
constexpr const char* SysctlKeyProblem(std::string_view key) {
  if (key.empty() || key.size() > kMaxSetupText) {
    return "is not 1 to 256 bytes long";
  }
  char before = '.';
  bool has_dot = false;
  for (char c : key) {
    bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!is_plain && c != '.') {
      return "is not made of letters, digits, '_', '-' and dots";
    }
    if (c == '.' && before == '.') return "has an empty part";
    has_dot |= c == '.';
    before = c;
  }
  if (before == '.') return "has an empty part";
  if (!has_dot) return "has no dot, as in kernel.panic_on_oops";
  return nullptr;
}

// What is written into a file of the kernel.
constexpr const char* SetupValueProblem(std::string_view value) {
  if (value.empty()) return "is empty";
  if (value.size() > kMaxSetupText) return "is longer than 256 bytes";
  if (rules_internal::HasControlBytes(value)) return "has control characters";
  return nullptr;
}

// A cgroup below the hierarchy's root: "/cells".
constexpr const char* CgroupParentProblem(std::string_view path) {
  if (path.empty() || path[0] != '/') return "does not begin with '/'";
  if (path == "/") return "is the root of the hierarchy";
  if (path.size() > kMaxSetupText) return "is longer than 256 bytes";
  if (rules_internal::HasControlBytes(path) ||
      !rules_internal::IsPathOfProperParts(path)) {
    return "has empty parts, \".\", \"..\" or control characters";
  }
  return nullptr;
}

// A file of the guest that a scheduler inside the kernel is switched by.
constexpr const char* SetupFileProblem(std::string_view path) {
  using namespace rules_internal;
  if (path.size() > kMaxSetupText) return "is longer than 256 bytes";
  if (!StartsWith(path, "/proc/") && !StartsWith(path, "/sys/")) {
    return "is not below /proc or /sys";
  }
  if (HasControlBytes(path) || !IsPathOfProperParts(path)) {
    return "has empty parts, \".\", \"..\" or control characters";
  }
  return nullptr;
}

// The kernel takes no longer one from a scheduler (SCX_WATCHDOG_MAX_TIMEOUT,
// kernel/sched/ext.c); much shorter ones are for ticks, not for tasks.
constexpr const char* WatchdogTimeoutProblem(int64_t milliseconds) {
  return milliseconds >= 100 && milliseconds <= 30000
             ? nullptr
             : "is not 100 ms to 30 s long";
}

// A file of whoever submits, by path; it keeps its last part in the guest.
constexpr const char* ConfigFileProblem(std::string_view path) {
  if (path.empty()) return "is empty";
  if (path.size() > 4096) return "is longer than 4,096 bytes";
  if (rules_internal::HasControlBytes(path)) return "has control characters";
  size_t slash = path.rfind('/');
  std::string_view name =
      slash == std::string_view::npos ? path : path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") return "names no file";
  return nullptr;
}

}  // namespace ktstr

#endif  // KTSTR_MODEL_SCHEDULER_RULES_H_
