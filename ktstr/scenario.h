// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Scenarios: what exists, what changes, for how long.
//
// Lifetime rule: what a step creates (cgroups, workers, payloads) is collected,
// judged and removed when that step ends, on success and on failure. What must
// outlive a step belongs into the Backdrop.
//
//   return run(ctx,
//       Backdrop{}.cgroup(Cgroup{"cg_0"}.cpus(CpuSet::disjoint(0, 2)))
//                 .cgroup(Cgroup{"cg_1"}.cpus(CpuSet::disjoint(1, 2))),
//       {Step{}.hold(Hold::frac(0.5)),
//        Step{}.op(Op::swap_cpusets("cg_0", "cg_1")).hold(Hold::frac(0.5))});
#ifndef KTSTR_KTSTR_SCENARIO_H_
#define KTSTR_KTSTR_SCENARIO_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "ktstr/checks.h"
#include "ktstr/context.h"
#include "ktstr/cpu_max.h"
#include "ktstr/cpu_set.h"
#include "ktstr/op.h"
#include "ktstr/payload.h"
#include "ktstr/relative.h"
#include "ktstr/verdict.h"
#include "ktstr/work.h"

namespace ktstr {

// A cgroup with its settings, its work groups and its payloads; without any of
// these it gets one default work group. The shorthands edit the first work
// group.
class Cgroup {
 public:
  struct Payload {
    std::shared_ptr<const PayloadDef> def;
    std::vector<std::string> args;
  };

  explicit Cgroup(std::string name = "cg_0") : name_(std::move(name)) {}

  Cgroup& cpus(CpuSet cpus) { return cpus_ = std::move(cpus), *this; }
  // Share of CPU time among the cgroups beside it; see Op::set_weight.
  Cgroup& weight(int weight) { return weight_ = weight, *this; }
  // At most `quota` of CPU time in every `period`; see CpuMax.
  Cgroup& cpu_max(
      std::chrono::microseconds quota,
      std::chrono::microseconds period = std::chrono::milliseconds(100)) {
    return cpu_max_ = CpuMax{.quota = quota, .period = period}, *this;
  }
  // Runs only when nothing else wants the CPU.
  Cgroup& idle() { return is_idle_ = true, *this; }
  // Whoever submits may have its workers do something else (`--work-type`), as
  // Context::swapped() has it.
  Cgroup& swappable() { return is_swappable_ = true, *this; }
  // Another work group beside those there are, judged on its own.
  Cgroup& work(Work work) { return works_.push_back(std::move(work)), *this; }

  // An external program that runs in it; as Op::run_payload, behind the
  // workers.
  Cgroup& payload(const PayloadDef& payload,
                  std::vector<std::string> args = {}) {
    payloads_.push_back(
        {std::make_shared<const PayloadDef>(payload), std::move(args)});
    return *this;
  }

  Cgroup& workers(int count) { return First().workers(count), *this; }
  Cgroup& type(WorkType type) { return First().type(std::move(type)), *this; }
  Cgroup& policy(SchedPolicy policy) { return First().policy(policy), *this; }
  Cgroup& affinity(Affinity affinity) {
    return First().affinity(std::move(affinity)), *this;
  }
  Cgroup& memory(MemPolicy memory) {
    return First().memory(std::move(memory)), *this;
  }

  const std::string& name() const { return name_; }
  const std::optional<CpuSet>& cpuset() const { return cpus_; }
  const std::optional<int>& cpu_weight() const { return weight_; }
  const std::optional<CpuMax>& cpu_limit() const { return cpu_max_; }
  bool is_idle() const { return is_idle_; }
  bool is_swappable() const { return is_swappable_; }
  const std::vector<Work>& works() const { return works_; }
  const std::vector<Payload>& payloads() const { return payloads_; }

 private:
  Work& First() {
    if (works_.empty()) works_.emplace_back();
    return works_.front();
  }

  std::string name_;
  std::optional<CpuSet> cpus_;
  std::optional<int> weight_;
  std::optional<CpuMax> cpu_max_;
  bool is_idle_ = false;
  bool is_swappable_ = false;
  std::vector<Work> works_;
  std::vector<Payload> payloads_;
};

// How long a step lasts, or how often it repeats.
class Hold {
 public:
  enum class Kind { kFrac, kFixed, kLoop };

  // The test's whole duration.
  static Hold full() { return frac(1.0); }
  // A part of it; > 0, may exceed 1.
  static Hold frac(double fraction) {
    Hold hold(Kind::kFrac);
    hold.fraction_ = fraction;
    return hold;
  }
  static Hold fixed(std::chrono::nanoseconds time) { return time; }
  // Repeats the step's ops, each pass followed by `interval`, until less than
  // one interval of the scenario's duration is left. Set-up happens once.
  static Hold loop(std::chrono::nanoseconds interval) {
    Hold hold(Kind::kLoop);
    hold.time_ = interval;
    return hold;
  }
  // As fixed(time).
  template <typename Rep, typename Period>
  Hold(std::chrono::duration<Rep, Period> time)  // NOLINT: `.hold(500ms)`
      : kind_(Kind::kFixed),
        time_(std::chrono::duration_cast<std::chrono::nanoseconds>(time)) {}

  Kind kind() const { return kind_; }
  double fraction() const { return fraction_; }
  std::chrono::nanoseconds time() const { return time_; }

 private:
  explicit Hold(Kind kind) : kind_(kind) {}

  Kind kind_;
  double fraction_ = 0;
  std::chrono::nanoseconds time_{0};
};

// Ops in order, then cgroups in order, then the hold (default: full).
class Step {
 public:
  using Setup = std::function<std::vector<Cgroup>(const Context&)>;

  Step& op(Op op) { return ops_.push_back(std::move(op)), *this; }
  Step& cgroup(Cgroup cgroup) {
    return cgroups_.push_back(std::move(cgroup)), *this;
  }
  // Cgroups made when the step begins, after those given directly.
  Step& setup(Setup setup) { return setup_ = std::move(setup), *this; }
  Step& hold(Hold hold) { return hold_ = hold, *this; }
  // What timelines call it, and comparisons (Relative) know it by.
  Step& label(std::string label) { return label_ = std::move(label), *this; }
  // Over the scenario's, for the workers that the step has itself. Of what it
  // sets, rates, their variation and the 99th percentile of wake latencies also
  // judge the Backdrop's workers, by what they did in this step alone.
  Step& checks(const Checks& checks) { return checks_ = checks, *this; }

  const std::vector<Op>& ops() const { return ops_; }
  const std::vector<Cgroup>& cgroups() const { return cgroups_; }
  const Setup& setup_function() const { return setup_; }
  const Hold& hold_time() const { return hold_; }
  const std::string& label_text() const { return label_; }
  const std::optional<Checks>& step_checks() const { return checks_; }

 private:
  std::vector<Op> ops_;
  std::vector<Cgroup> cgroups_;
  Setup setup_;
  Hold hold_ = Hold::full();
  std::string label_;
  std::optional<Checks> checks_;
};

// What outlives every step: cgroups first, then ops, in order.
class Backdrop {
 public:
  Backdrop& cgroup(Cgroup cgroup) {
    return cgroups_.push_back(std::move(cgroup)), *this;
  }
  Backdrop& op(Op op) { return ops_.push_back(std::move(op)), *this; }

  const std::vector<Cgroup>& cgroups() const { return cgroups_; }
  const std::vector<Op>& ops() const { return ops_; }

 private:
  std::vector<Cgroup> cgroups_;
  std::vector<Op> ops_;
};

// Each runs to the end and judges every worker. `checks`, when given, replaces
// the context's instead of adding to them; `relatives` compare phases. One
// scenario at a time in a process.
//
// A set-up or op that fails ends the scenario with a failed verdict that says
// which step and why; everything that was created is collected and removed.
//
// Errors (nothing was created):
//   InvalidArgument  a hold that is zero, negative or not finite; a CPU that
//                    cannot be switched; a comparison without a bound; a
//                    payload that may not be, or is not to be given such an
//                    option.
//   Unimplemented    an op that nobody here can do.

// One step with these cgroups for the whole duration.
absl::StatusOr<Verdict> run_cgroups(
    const Context& ctx, std::vector<Cgroup> cgroups,
    const std::optional<Checks>& checks = std::nullopt);

// Steps over an empty Backdrop.
absl::StatusOr<Verdict> run_steps(
    const Context& ctx, std::vector<Step> steps,
    const std::optional<Checks>& checks = std::nullopt);

absl::StatusOr<Verdict> run(const Context& ctx, Backdrop backdrop,
                            std::vector<Step> steps,
                            const std::optional<Checks>& checks = std::nullopt,
                            const std::vector<Relative>& relatives = {});

}  // namespace ktstr

#endif  // KTSTR_KTSTR_SCENARIO_H_
