// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/payload_run.h"

#include <stdio.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "ktstr/context.h"
#include "ktstr/internal/payload_log.h"
#include "ktstr/internal/payload_plan.h"
#include "ktstr/internal/payload_process.h"

namespace ktstr {

using internal::PayloadPlan;
using internal::PayloadProcess;

PayloadHandle::PayloadHandle(const Context& context, PayloadPlan plan,
                             std::unique_ptr<PayloadProcess> process)
    : context_(&context),
      plan_(std::make_unique<PayloadPlan>(std::move(plan))),
      process_(std::move(process)) {}
PayloadHandle::PayloadHandle(PayloadHandle&&) noexcept = default;

PayloadHandle& PayloadHandle::operator=(PayloadHandle&& other) noexcept {
  // What was here ends in `other`'s place, with its warning.
  std::swap(context_, other.context_);
  std::swap(plan_, other.plan_);
  std::swap(process_, other.process_);
  return *this;
}

PayloadHandle::~PayloadHandle() {
  if (process_ == nullptr) return;
  fprintf(stderr,
          "ktstr: warning: payload %s was neither waited for nor killed: it is "
          "killed now, and what it measured is lost\n",
          plan_->name().c_str());
}

pid_t PayloadHandle::pid() const {
  return process_ == nullptr ? -1 : process_->pid();
}

absl::Status PayloadHandle::CheckLive() const {
  if (process_ != nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "payload \"", plan_ ? plan_->name() : "",
      "\" has been collected already: a program has one result, which the "
      "first wait(), kill() or successful try_wait() returns"));
}

PayloadResult PayloadHandle::Collect() {
  PayloadResult result = Conclude(*plan_, process_->Finish());
  process_.reset();
  if (internal::PayloadLog* log = context_->parts().payloads) {
    log->AddMetrics(*plan_, result);
    log->AddFindings(result.findings);
  }
  return result;
}

absl::StatusOr<PayloadResult> PayloadHandle::wait() {
  ABSL_RETURN_IF_ERROR(CheckLive());
  process_->AwaitEnd(absl::InfiniteDuration());
  return Collect();
}

absl::StatusOr<PayloadResult> PayloadHandle::kill() {
  ABSL_RETURN_IF_ERROR(CheckLive());
  return kill(plan_->def->stop);
}

absl::StatusOr<PayloadResult> PayloadHandle::kill(const PayloadStop& how) {
  ABSL_RETURN_IF_ERROR(CheckLive());
  process_->RequestStop(how);
  process_->AwaitEnd(process_->stop_deadline());
  return Collect();
}

absl::StatusOr<std::optional<PayloadResult>> PayloadHandle::try_wait() {
  ABSL_RETURN_IF_ERROR(CheckLive());
  if (!process_->has_ended()) return std::optional<PayloadResult>();
  return std::optional<PayloadResult>(Collect());
}

PayloadBuilder::PayloadBuilder(const Context& context, const PayloadDef& def)
    : context_(&context),
      plan_(std::make_unique<PayloadPlan>(
          std::make_shared<const PayloadDef>(def))) {}
PayloadBuilder::PayloadBuilder(PayloadBuilder&&) noexcept = default;
PayloadBuilder::~PayloadBuilder() = default;

PayloadBuilder& PayloadBuilder::arg(std::string word) {
  plan_->AddArg(std::move(word));
  return *this;
}

PayloadBuilder& PayloadBuilder::args(const std::vector<std::string>& words) {
  for (const std::string& word : words) plan_->AddArg(word);
  return *this;
}

PayloadBuilder& PayloadBuilder::clear_args() {
  plan_->args.clear();
  plan_->own_args = 0;
  return *this;
}

PayloadBuilder& PayloadBuilder::check(const PCheck& check) {
  plan_->checks.emplace_back(check);
  return *this;
}

PayloadBuilder& PayloadBuilder::clear_checks() {
  plan_->checks.clear();
  return *this;
}

PayloadBuilder& PayloadBuilder::in_cgroup(std::string name) {
  absl::string_view relative = name;
  while (absl::ConsumePrefix(&relative, "/")) {
  }
  // No name at all is refused, as another that is none.
  plan_->cgroup = relative.empty() ? "." : std::string(relative);
  return *this;
}

PayloadBuilder& PayloadBuilder::timeout(std::chrono::nanoseconds limit) {
  timeout_ = limit;
  return *this;
}

absl::StatusOr<std::unique_ptr<PayloadProcess>> PayloadBuilder::Start() {
  if (is_used_) {
    return absl::FailedPreconditionError(
        absl::StrCat("payload \"", plan_->name(),
                     "\": this has been run or spawned already; ask the "
                     "context for another"));
  }
  ABSL_RETURN_IF_ERROR(CheckPlan(*plan_));
  if (timeout_ && timeout_->count() <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("payload \"", plan_->name(), "\": a time limit of ",
                     timeout_->count(), " ns is not positive"));
  }
  is_used_ = true;
  return PayloadProcess::Start(*plan_, *context_);
}

absl::StatusOr<PayloadResult> PayloadBuilder::run() {
  ABSL_ASSIGN_OR_RETURN(std::unique_ptr<PayloadProcess> process, Start());
  if (timeout_) {
    const absl::Duration limit = absl::FromChrono(*timeout_);
    process->AwaitEnd(RealClock().Monotonic() + limit);
    process->KillAtLimit(limit);
  }
  return PayloadHandle(*context_, *plan_, std::move(process)).wait();
}

absl::StatusOr<PayloadHandle> PayloadBuilder::spawn() {
  if (timeout_) {
    return absl::InvalidArgumentError(absl::StrCat(
        "payload \"", plan_->name(),
        "\": a time limit is for run(); what is spawned is ended by kill()"));
  }
  ABSL_ASSIGN_OR_RETURN(std::unique_ptr<PayloadProcess> process, Start());
  return PayloadHandle(*context_, *plan_, std::move(process));
}

PayloadBuilder Context::payload(const PayloadDef& def) const {
  return PayloadBuilder(*this, def);
}

}  // namespace ktstr
