// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_CGROUP_TREE_FAKE_H_
#define KTSTR_KTSTR_INTERNAL_CGROUP_TREE_FAKE_H_

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/cpu_list.h"
#include "ktstr/internal/cgroup_tree.h"

namespace ktstr::internal {

// Cgroups that exist only here: behaves like the kernel's as far as names and
// cpusets go, and writes down every call.
class CgroupTreeFake : public CgroupTree {
 public:
  // "create cg_0", "cpuset cg_0 0-1", "move cg_0 2", "remove cg_0", "weight
  // cg_0 50", "max cg_0 20000/100000", "idle cg_0 1", "freeze cg_0", ...; the
  // number after move is how many tasks.
  const std::vector<std::string>& calls() const { return calls_; }
  const std::set<std::string>& existing() const { return existing_; }
  const std::map<std::string, std::vector<int>>& cpusets() const {
    return cpusets_;
  }

  // The next call whose text begins with `prefix` fails with `status`.
  void FailOn(std::string prefix, absl::Status status) {
    failures_.emplace_back(std::move(prefix), std::move(status));
  }

  // What ReadThrottled() answers for every cgroup.
  void set_throttled(absl::Duration throttled) { throttled_ = throttled; }

  absl::Status SetUp() override { return Note("set_up"); }

  absl::StatusOr<std::vector<std::string>> Create(
      const std::string& name) override {
    if (absl::Status s = Note(absl::StrCat("create ", name)); !s.ok()) return s;
    std::vector<std::string> created;
    std::string path;
    for (absl::string_view part : absl::StrSplit(name, '/')) {
      path = path.empty() ? std::string(part) : absl::StrCat(path, "/", part);
      if (existing_.insert(path).second) created.push_back(path);
    }
    return created;
  }

  absl::Status Remove(const std::string& name) override {
    if (absl::Status s = Note(absl::StrCat("remove ", name)); !s.ok()) return s;
    for (const std::string& other : existing_) {
      if (other.rfind(name + "/", 0) == 0) {
        return absl::FailedPreconditionError(
            absl::StrCat("rmdir ", name, ": ", other, " is below it"));
      }
    }
    existing_.erase(name);
    cpusets_.erase(name);
    return absl::OkStatus();
  }

  absl::Status SetCpuset(const std::string& name,
                         const std::vector<int>& cpus) override {
    cpusets_[name] = cpus;
    return Note(absl::StrCat("cpuset ", name, " ", FormatCpuList(cpus)));
  }

  absl::Status ClearCpuset(const std::string& name) override {
    cpusets_.erase(name);
    return Note(absl::StrCat("clear ", name));
  }

  absl::StatusOr<std::vector<int>> ReadCpuset(
      const std::string& name) override {
    auto found = cpusets_.find(name);
    return found == cpusets_.end() ? std::vector<int>() : found->second;
  }

  absl::Status SetWeight(const std::string& name, int weight) override {
    return Note(absl::StrCat("weight ", name, " ", weight));
  }

  absl::Status SetCpuMax(const std::string& name, const CpuMax& max) override {
    return Note(absl::StrCat(
        "max ", name, " ", max.quota ? absl::StrCat(max.quota->count()) : "max",
        "/", max.period.count()));
  }

  absl::Status SetIdle(const std::string& name, bool is_idle) override {
    return Note(absl::StrCat("idle ", name, " ", is_idle ? 1 : 0));
  }

  absl::StatusOr<absl::Duration> ReadThrottled(const std::string&) override {
    return throttled_;
  }

  absl::Status SetFrozen(const std::string& name, bool is_frozen) override {
    return Note(absl::StrCat(is_frozen ? "freeze " : "thaw ", name));
  }

  absl::Status MoveTasks(const std::string& name,
                         const std::vector<pid_t>& pids) override {
    return Note(absl::StrCat("move ", name, " ", pids.size()));
  }

  absl::Status ClearSubtreeControl(const std::string& name) override {
    return Note(absl::StrCat("clear_subtree ", name));
  }

  void RemoveAll() override {
    Note("remove_all").IgnoreError();
    existing_.clear();
    cpusets_.clear();
  }

 private:
  absl::Status Note(std::string call) {
    calls_.push_back(call);
    for (auto it = failures_.begin(); it != failures_.end(); ++it) {
      if (call.rfind(it->first, 0) != 0) continue;
      absl::Status status = it->second;
      failures_.erase(it);
      return status;
    }
    return absl::OkStatus();
  }

  std::vector<std::string> calls_;
  absl::Duration throttled_;
  std::set<std::string> existing_;
  std::map<std::string, std::vector<int>> cpusets_;
  std::vector<std::pair<std::string, absl::Status>> failures_;
};

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_CGROUP_TREE_FAKE_H_
