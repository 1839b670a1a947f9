// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/machine/lstopo_tree.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/cpu_list.h"
#include "tests/guest/topology_report.h"

namespace ktstr::machine_tests {
namespace {

struct Object {
  std::string type;    // "L3"
  int os_index = -1;   // of "P#3"
  std::string detail;  // between parentheses
  int parent = -1;
  std::vector<int> cpus;
};

// "L3 L#0 (16MB)" and the like.
Object ParseObject(absl::string_view text) {
  Object object;
  object.type = std::string(text.substr(0, text.find(' ')));
  const size_t open = text.find('(');
  if (open != absl::string_view::npos) {
    object.detail = std::string(text.substr(open + 1));
    if (!object.detail.empty() && object.detail.back() == ')') {
      object.detail.pop_back();
    }
  }
  const size_t index = object.detail.find("P#");
  if (index != std::string::npos) {
    absl::string_view rest = absl::string_view(object.detail).substr(index + 2);
    rest = rest.substr(0, rest.find_first_not_of("0123456789"));
    if (!absl::SimpleAtoi(rest, &object.os_index)) object.os_index = -1;
  }
  return object;
}

std::vector<Object> ParseDrawing(absl::string_view drawing) {
  std::vector<Object> objects;
  // Indentation of a line and the last object on it, from the root down.
  std::vector<std::pair<size_t, int>> open;
  for (absl::string_view line :
       absl::StrSplit(drawing, '\n', absl::SkipWhitespace())) {
    const size_t indent = line.find_first_not_of(' ');
    while (!open.empty() && open.back().first >= indent) open.pop_back();
    int parent = open.empty() ? -1 : open.back().second;
    for (absl::string_view part : absl::StrSplit(line.substr(indent), " + ")) {
      objects.push_back(ParseObject(part));
      objects.back().parent = parent;
      parent = int(objects.size()) - 1;
    }
    open.emplace_back(indent, parent);
  }
  for (size_t i = 0; i < objects.size(); ++i) {
    if (objects[i].type != "PU") continue;
    const int cpu = objects[i].os_index;
    for (int at = int(i); at >= 0; at = objects[at].parent) {
      objects[at].cpus.push_back(cpu);
    }
  }
  for (Object& object : objects) {
    std::sort(object.cpus.begin(), object.cpus.end());
  }
  return objects;
}

std::string SizeText(int64_t kib) {
  return kib >= 10240 ? absl::StrCat(kib >> 10, "MB") : absl::StrCat(kib, "KB");
}

class Comparison {
 public:
  Comparison(const MachineTopology& machine, bool is_amd,
             absl::string_view drawing)
      : machine_(machine), is_amd_(is_amd), objects_(ParseDrawing(drawing)) {}

  std::vector<std::string> Run() {
    const Topology& topology = machine_.topology();
    std::set<std::vector<int>> cpus, cores, llcs, whole;
    for (int cpu = 0; cpu < topology.cpus(); ++cpu) {
      cpus.insert({cpu});
      const int first = cpu - machine_.PlaceOf(cpu).thread;
      std::vector<int>& core = cores_[first];
      core.push_back(cpu);
      all_.push_back(cpu);
    }
    for (const auto& [first, core] : cores_) cores.insert(core);
    for (int llc = 0; llc < topology.llcs(); ++llc) {
      llcs.insert(topology.CpusOfLlc(llc));
    }
    whole.insert(all_);
    const CpuCaches& caches = machine_.caches();
    const LlcsAre llcs_are = machine_.llcs_are();
    Expect("PU", cpus);
    Expect("Core", cores);
    Expect("L1d", cores, SizeText(caches.l1d.size_kib));
    Expect("L1i", cores, SizeText(caches.l1i.size_kib));
    Expect("L2", cores, SizeText(caches.l2.size_kib));
    Expect("L3", llcs, SizeText(caches.l3.size_kib));
    Expect("Package", llcs_are == LlcsAre::kPackages ? llcs : whole);
    std::set<std::vector<int>> dies;
    for (int cpu : all_) dies.insert(guest::DieOf(machine_, is_amd_, cpu));
    const bool are_drawn = llcs_are != LlcsAre::kPackages && dies.size() > 1;
    Expect("Die", are_drawn ? dies : std::set<std::vector<int>>());
    ExpectNodes();
    return std::move(differences_);
  }

 private:
  static std::string Text(const std::vector<int>& cpus) {
    return cpus.empty() ? "none" : FormatCpuList(cpus);
  }

  void Expect(const std::string& type, std::set<std::vector<int>> declared,
              const std::string& detail = "") {
    for (const Object& object : objects_) {
      if (object.type != type) continue;
      if (declared.erase(object.cpus) == 0) {
        differences_.push_back(absl::StrCat("lstopo draws a ", type,
                                            " with CPUs ", Text(object.cpus),
                                            ", which is not declared"));
      }
      if (!detail.empty() && object.detail != detail) {
        differences_.push_back(absl::StrCat("lstopo draws a ", type, " of ",
                                            object.detail, ", declared ",
                                            detail));
      }
    }
    for (const auto& cpus : declared) {
      differences_.push_back(
          absl::StrCat("lstopo draws no ", type, " with CPUs ", Text(cpus)));
    }
  }

  void ExpectNodes() {
    std::set<int> missing;
    for (int node = 0; node < machine_.node_count(); ++node) {
      missing.insert(node);
    }
    for (const Object& object : objects_) {
      if (object.type != "NUMANode") continue;
      if (missing.erase(object.os_index) == 0) {
        differences_.push_back(absl::StrCat(
            "lstopo draws node ", object.os_index, ", which is not declared"));
        continue;
      }
      int parent = object.parent;
      while (parent >= 0 && objects_[parent].type == "MemCache") {
        parent = objects_[parent].parent;
      }
      const std::vector<int> beside = parent < 0 ? all_ : objects_[parent].cpus;
      const int nearest = machine_.NearestCpuNode(object.os_index);
      const std::vector<int> own = machine_.CpusOfNode(nearest);
      const bool is_right = nearest == object.os_index
                                ? beside == own
                                : std::includes(beside.begin(), beside.end(),
                                                own.begin(), own.end());
      if (is_right) continue;
      differences_.push_back(absl::StrCat("lstopo draws node ", object.os_index,
                                          " beside CPUs ", Text(beside),
                                          ", declared ", Text(own)));
    }
    for (int node : missing) {
      differences_.push_back(absl::StrCat("lstopo draws no node ", node));
    }
  }

  const MachineTopology& machine_;
  const bool is_amd_;
  const std::vector<Object> objects_;
  std::map<int, std::vector<int>> cores_;
  std::vector<int> all_;
  std::vector<std::string> differences_;
};

}  // namespace

std::vector<std::string> CompareDrawing(const MachineTopology& declared,
                                        bool is_amd,
                                        absl::string_view drawing) {
  return Comparison(declared, is_amd, drawing).Run();
}

}  // namespace ktstr::machine_tests
