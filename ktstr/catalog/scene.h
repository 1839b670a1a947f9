// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Small words that scenario bodies of the catalogue are written in.
#ifndef KTSTR_KTSTR_CATALOG_SCENE_H_
#define KTSTR_KTSTR_CATALOG_SCENE_H_

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "ktstr/context.h"
#include "ktstr/scenario.h"
#include "ktstr/work.h"

namespace ktstr::catalog {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

// "cg_0", "cg_1", ...
inline std::string Cg(int i) { return "cg_" + std::to_string(i); }

// A part of the duration, as a time to add something to.
inline std::chrono::nanoseconds Part(const Context& ctx, double fraction) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(ctx.duration() *
                                                              fraction);
}

// Holds of the first step: what was set up settles, then a part of the
// duration.
inline Hold Settled(const Context& ctx, double fraction) {
  return Hold::fixed(ctx.settle() + Part(ctx, fraction));
}
// `time`, or four durations where that is shorter: what a scenario of seconds
// begins with shall not be most of one of milliseconds.
inline std::chrono::nanoseconds Lead(const Context& ctx,
                                     std::chrono::nanoseconds time) {
  return std::min(time, 4 * ctx.duration());
}
inline Hold After(const Context& ctx, std::chrono::nanoseconds lead,
                  double fraction) {
  return Hold::fixed(Lead(ctx, lead) + Part(ctx, fraction));
}

inline Work Spinners(int count) { return Work{}.workers(count); }

// As many as the context says.
inline Work Of(WorkType type) { return Work{}.type(std::move(type)); }
inline Work Of(int count, WorkType type) {
  return Of(std::move(type)).workers(count);
}

inline WorkType Bursty(std::chrono::nanoseconds burst,
                       std::chrono::nanoseconds sleep) {
  return WorkType::bursty({.burst = burst, .sleep = sleep});
}

// A worker that is nearly no load.
inline Work OneYielder() { return Of(1, WorkType::yield_heavy()); }

inline int UsableCpus(const Context& ctx) {
  return static_cast<int>(ctx.topology().usable_cpus().size());
}
inline int TotalCpus(const Context& ctx) { return ctx.topology().total_cpus(); }

// Groups of a messenger and its four receivers.
inline int FanOutWorkers(const Context& ctx) {
  return std::max(1, ctx.workers_per_cgroup() / 5) * 5;
}

inline std::vector<int> FirstTwo(std::vector<int> cpus) {
  if (cpus.size() > 2) cpus.resize(2);
  return cpus;
}

// cg_0 to cg_<n-1> with default work.
inline Backdrop Working(int n) {
  Backdrop backdrop;
  for (int i = 0; i < n; ++i) backdrop.cgroup(Cgroup{Cg(i)});
  return backdrop;
}

// cg_0 and cg_1 with default work, each on its half of the machine.
inline Backdrop Halves() {
  return Backdrop{}
      .cgroup(Cgroup{"cg_0"}.cpus(CpuSet::disjoint(0, 2)))
      .cgroup(Cgroup{"cg_1"}.cpus(CpuSet::disjoint(1, 2)));
}

inline Step SwapStep(Hold hold) {
  return Step{}
      .op(Op::swap_cpusets("cg_0", "cg_1"))
      .hold(hold)
      .label("swapped");
}

// The five unlike kinds of work, in turn.
Work Diverse(int i);

}  // namespace ktstr::catalog

#endif  // KTSTR_KTSTR_CATALOG_SCENE_H_
