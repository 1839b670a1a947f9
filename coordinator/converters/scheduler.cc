// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/converters/scheduler.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/proto_time.h"
#include "base/status_macros.h"
#include "coordinator/converters/guest_files.h"
#include "model/guest_layout.h"
#include "model/scheduler_rules.h"

namespace ktstr::coordinator {
namespace {

constexpr size_t kMaxName = 200;
constexpr int kMaxSettings = 64;
constexpr size_t kMaxArgs = 256;
constexpr size_t kMaxArgBytes = 16 << 10;
constexpr char kDefaultScheduler[] = "default";

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// OK when `why` is null.
absl::Status Refuse(absl::string_view what, absl::string_view value,
                    const char* why) {
  if (why == nullptr) return absl::OkStatus();
  return Invalid(what, " \"", absl::CHexEscape(value.substr(0, 300)), "\" ",
                 why);
}

absl::Status CheckWrites(
    const google::protobuf::RepeatedPtrField<v1::FileWrite>& writes) {
  for (const v1::FileWrite& write : writes) {
    ABSL_RETURN_IF_ERROR(
        Refuse("file", write.path(), SetupFileProblem(write.path())));
    ABSL_RETURN_IF_ERROR(
        Refuse("value", write.value(), SetupValueProblem(write.value())));
  }
  return absl::OkStatus();
}

absl::Status CheckSetup(const v1::SchedulerSetup& setup) {
  for (int count : {setup.kargs_size(), setup.sysctls_size(),
                    setup.enable_size(), setup.disable_size()}) {
    if (count > kMaxSettings) {
      return Invalid("it has ", count, " settings of one kind, accepted are ",
                     kMaxSettings);
    }
  }
  size_t bytes = 0;
  for (const std::string& word : setup.kargs()) {
    ABSL_RETURN_IF_ERROR(Refuse("karg", word, KargProblem(word)));
    bytes += word.size() + 1;
  }
  if (bytes > kMaxKargBytes) {
    return Invalid("its kargs have ", bytes, " bytes, accepted are ",
                   kMaxKargBytes);
  }
  for (const v1::Sysctl& sysctl : setup.sysctls()) {
    ABSL_RETURN_IF_ERROR(
        Refuse("sysctl", sysctl.key(), SysctlKeyProblem(sysctl.key())));
    ABSL_RETURN_IF_ERROR(Refuse("sysctl value", sysctl.value(),
                                SetupValueProblem(sysctl.value())));
  }
  if (!setup.cgroup_parent().empty()) {
    ABSL_RETURN_IF_ERROR(Refuse("cgroup_parent", setup.cgroup_parent(),
                                CgroupParentProblem(setup.cgroup_parent())));
  }
  if (setup.has_watchdog_timeout()) {
    const absl::Duration timeout = FromProtoDuration(setup.watchdog_timeout());
    ABSL_RETURN_IF_ERROR(
        Refuse("watchdog_timeout", absl::FormatDuration(timeout),
               WatchdogTimeoutProblem(absl::ToInt64Milliseconds(timeout))));
  }
  ABSL_RETURN_IF_ERROR(CheckWrites(setup.enable()));
  return CheckWrites(setup.disable());
}

absl::Status CheckArgs(
    const google::protobuf::RepeatedPtrField<std::string>& args) {
  if (args.size() > static_cast<int>(kMaxArgs)) {
    return Invalid("it has ", args.size(), " arguments, accepted are ",
                   kMaxArgs);
  }
  for (const std::string& arg : args) {
    if (arg.size() > kMaxArgBytes || arg.find('\0') != std::string::npos) {
      return Invalid("an argument of ", arg.size(),
                     " bytes; accepted are up to ", kMaxArgBytes,
                     " without a zero byte");
    }
  }
  return absl::OkStatus();
}

const v1::ConfigFile* FindConfigFile(const v1::SubmittedSuite& suite,
                                     const std::string& declared_path) {
  for (const v1::ConfigFile& file : suite.config_files()) {
    if (file.declared_path() == declared_path) return &file;
  }
  return nullptr;
}

std::string BaseName(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

// What comes before the declared arguments.
void AddSetupArgs(const v1::SubmittedSuite& suite,
                  const v1::SchedulerDescription& declared,
                  v1::SchedulerSpec& scheduler) {
  if (!declared.config_file().empty()) {
    v1::GuestFile& file = *scheduler.add_config_files();
    *file.mutable_content() =
        FindConfigFile(suite, declared.config_file())->content();
    file.set_guest_path(
        absl::StrCat(kGuestIncludeDir, "/", BaseName(declared.config_file())));
    scheduler.add_args("--config");
    scheduler.add_args(file.guest_path());
  }
  if (!declared.setup().cgroup_parent().empty()) {
    scheduler.add_args("--cell-parent-cgroup");
    scheduler.add_args(declared.setup().cgroup_parent());
  }
}

}  // namespace

absl::Status CheckLabel(absl::string_view what, absl::string_view name) {
  if (name.empty() || name.size() > kMaxName) {
    return Invalid(what, " \"", name.substr(0, 80), "\" is not 1 to ", kMaxName,
                   " bytes long");
  }
  for (unsigned char c : name) {
    if (c <= ' ' || c == 0x7f || c == '/' || c == '\\' || c == ':') {
      return Invalid(what, " \"", name,
                     "\" contains white space, '/', '\\', ':' or a control "
                     "character");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckScheduler(const v1::SchedulerSpec& scheduler) {
  ABSL_RETURN_IF_ERROR(CheckLabel("scheduler name", scheduler.name()));
  const std::string where = absl::StrCat("scheduler ", scheduler.name());
  if (scheduler.has_setup() || !scheduler.config_files().empty()) {
    return Invalid(where, " has a set-up, which only suites declare");
  }
  ABSL_RETURN_IF_ERROR(Annotate(CheckArgs(scheduler.args()), where));
  if (scheduler.has_binary()) {
    ABSL_RETURN_IF_ERROR(CheckArtifact(scheduler.binary(), where));
  }
  return CheckGuestFiles(scheduler.libraries(), where);
}

absl::Status CheckDeclaredScheduler(const v1::SubmittedSuite& suite,
                                    const v1::SchedulerDescription& scheduler) {
  ABSL_RETURN_IF_ERROR(CheckLabel("scheduler name", scheduler.name()));
  const std::string where = absl::StrCat("scheduler ", scheduler.name());
  ABSL_RETURN_IF_ERROR(Annotate(CheckSetup(scheduler.setup()), where));
  ABSL_RETURN_IF_ERROR(Annotate(CheckArgs(scheduler.args()), where));
  for (const v1::SchedulerFlag& flag : scheduler.flags()) {
    ABSL_RETURN_IF_ERROR(Annotate(CheckArgs(flag.args()),
                                  absl::StrCat(where, ", flag ", flag.name())));
  }
  if (scheduler.config_file().empty()) return absl::OkStatus();
  ABSL_RETURN_IF_ERROR(
      Annotate(Refuse("config_file", scheduler.config_file(),
                      ConfigFileProblem(scheduler.config_file())),
               where));
  if (FindConfigFile(suite, scheduler.config_file()) == nullptr) {
    return Invalid(where, ": config_file \"", scheduler.config_file(),
                   "\" is not among the files of the submission");
  }
  return absl::OkStatus();
}

gauntlet::DeclaredScheduler ToDeclaredScheduler(
    const v1::SubmitRequest& request, const v1::SchedulerDescription& from) {
  gauntlet::DeclaredScheduler scheduler = {
      .name = from.name(), .has_program = !from.binary().empty()};
  for (const v1::MissingScheduler& missing : request.missing_schedulers()) {
    if (missing.name() == from.name()) {
      scheduler.why_missing = missing.reason();
    }
  }
  for (const v1::SchedulerFlag& flag : from.flags()) {
    scheduler.flags.push_back(
        {.name = flag.name(),
         .args = {flag.args().begin(), flag.args().end()},
         .requires_flags = {flag.requires_flags().begin(),
                            flag.requires_flags().end()}});
  }
  return scheduler;
}

v1::SchedulerSpec SchedulerOf(const v1::SubmitRequest& request,
                              const v1::SubmittedSuite& suite,
                              const v1::TestDescription& test,
                              const gauntlet::Variant& variant) {
  v1::SchedulerSpec scheduler;
  const v1::SchedulerDescription& declared = test.scheduler();
  if (!variant.scheduler.has_value()) {
    const bool is_inside_kernel = !declared.setup().enable().empty();
    scheduler.set_name(is_inside_kernel ? declared.name() : kDefaultScheduler);
    if (test.has_scheduler()) *scheduler.mutable_setup() = declared.setup();
    return scheduler;
  }
  const int index = static_cast<int>(*variant.scheduler);
  scheduler =
      index < request.schedulers_size()
          ? request.schedulers(index)
          : request.declared_schedulers(index - request.schedulers_size());
  if (!test.has_scheduler() || declared.name() != scheduler.name()) {
    return scheduler;
  }
  *scheduler.mutable_setup() = declared.setup();
  const auto submitted = scheduler.args();
  scheduler.clear_args();
  AddSetupArgs(suite, declared, scheduler);
  scheduler.mutable_args()->MergeFrom(declared.args());
  scheduler.mutable_args()->MergeFrom(test.extra_scheduler_args());
  scheduler.mutable_args()->MergeFrom(submitted);
  for (const std::string& arg : variant.profile.args) scheduler.add_args(arg);
  return scheduler;
}

}  // namespace ktstr::coordinator
