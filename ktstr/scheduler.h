// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_SCHEDULER_H_
#define KTSTR_KTSTR_SCHEDULER_H_

#include <string_view>

#include "ktstr/checks.h"
#include "ktstr/fixed_list.h"

namespace ktstr {

// Something a scheduler can be started with or without.
struct SchedulerFlag {
  std::string_view name;
  FixedList<std::string_view, 8> args;
  // Names of flags of the same scheduler that must be active too.
  FixedList<std::string_view, 8> requires_flags;
};

// A scheduler a test declares. A constant, referred to by address:
//
//   constexpr SchedulerDef kMine = SchedulerDef{"mine", "scx_mine"}
//       .arg("--verbose")
//       .flag({.name = "llc", .args = {"--enable-llc"}});
class SchedulerDef {
 public:
  // `name` is what tables show; `binary` is what is started in the guest, empty
  // for the kernel's default.
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

  constexpr std::string_view name() const { return name_; }
  constexpr std::string_view binary() const { return binary_; }
  constexpr const FixedList<std::string_view, 16>& args() const {
    return args_;
  }
  constexpr const FixedList<SchedulerFlag, 24>& flags() const { return flags_; }
  constexpr const Checks& check_layer() const { return checks_; }

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
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_SCHEDULER_H_
