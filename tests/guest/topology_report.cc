// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/guest/topology_report.h"

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/cpu_list.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace ktstr::guest {
namespace {

constexpr uint64_t kMaxBytes = 1 << 16;
// What a machine without declared distances has.
constexpr int kLocalDistance = 10;
constexpr int kRemoteDistance = 20;

class Comparison {
 public:
  Comparison(std::string root, const Topology& declared)
      : root_(std::move(root)), declared_(declared) {
    for (int cpu = 0; cpu < declared_.cpus(); ++cpu) all_.push_back(cpu);
  }

  absl::StatusOr<std::vector<std::string>> Run() {
    ABSL_RETURN_IF_ERROR(ExpectList("cpu/online", all_));
    for (int cpu : all_) {
      if (!FileExists(Path(CpuDir(cpu)))) {
        differences_.push_back(absl::StrCat("there is no CPU ", cpu));
        continue;
      }
      ABSL_RETURN_IF_ERROR(CheckCpu(cpu));
      ABSL_RETURN_IF_ERROR(CheckCaches(cpu));
    }
    ABSL_RETURN_IF_ERROR(CheckCoreIds());
    ABSL_RETURN_IF_ERROR(CheckNodes());
    return std::move(differences_);
  }

 private:
  std::string Path(const std::string& file) const {
    return JoinPath(root_, file);
  }
  static std::string CpuDir(int cpu) { return absl::StrCat("cpu/cpu", cpu); }

  absl::StatusOr<std::string> Text(const std::string& file) const {
    ABSL_ASSIGN_OR_RETURN(std::string text, ReadFile(Path(file), kMaxBytes));
    return std::string(absl::StripAsciiWhitespace(text));
  }

  absl::StatusOr<int> Number(const std::string& file) const {
    ABSL_ASSIGN_OR_RETURN(std::string text, Text(file));
    int number = 0;
    if (absl::SimpleAtoi(text, &number)) return number;
    return absl::InvalidArgumentError(
        absl::StrCat(Path(file), ": \"", text, "\" is not a number"));
  }

  absl::Status ExpectList(const std::string& file,
                          const std::vector<int>& expected) {
    ABSL_ASSIGN_OR_RETURN(std::string text, Text(file));
    absl::StatusOr<std::vector<int>> found = ParseCpuList(text);
    if (!found.ok()) return Annotate(found.status(), Path(file));
    if (*found != expected) {
      differences_.push_back(absl::StrCat(file, " is \"", text,
                                          "\", declared \"",
                                          FormatCpuList(expected), "\""));
    }
    return absl::OkStatus();
  }

  absl::Status ExpectListIfThere(const std::string& file,
                                 const std::vector<int>& expected) {
    if (!FileExists(Path(file))) return absl::OkStatus();
    return ExpectList(file, expected);
  }

  std::vector<int> Siblings(int cpu) const {
    const CpuPlace place = declared_.PlaceOf(cpu);
    std::vector<int> siblings;
    for (int other : declared_.CpusOfLlc(place.llc)) {
      if (declared_.PlaceOf(other).core == place.core) {
        siblings.push_back(other);
      }
    }
    return siblings;
  }

  absl::Status CheckCpu(int cpu) {
    const std::string dir = CpuDir(cpu) + "/topology/";
    ABSL_RETURN_IF_ERROR(
        ExpectList(dir + "thread_siblings_list", Siblings(cpu)));
    ABSL_RETURN_IF_ERROR(
        ExpectListIfThere(dir + "core_cpus_list", Siblings(cpu)));
    ABSL_RETURN_IF_ERROR(ExpectListIfThere(dir + "package_cpus_list", all_));
    ABSL_RETURN_IF_ERROR(ExpectListIfThere(dir + "core_siblings_list", all_));
    ABSL_RETURN_IF_ERROR(ExpectSameAsFirst(cpu, "physical_package_id"));
    if (FileExists(Path(dir + "die_id"))) {
      ABSL_RETURN_IF_ERROR(ExpectSameAsFirst(cpu, "die_id"));
    }
    return absl::OkStatus();
  }

  absl::Status ExpectSameAsFirst(int cpu, const std::string& name) {
    ABSL_ASSIGN_OR_RETURN(int first, Number("cpu/cpu0/topology/" + name));
    ABSL_ASSIGN_OR_RETURN(int own, Number(CpuDir(cpu) + "/topology/" + name));
    if (own != first) {
      differences_.push_back(absl::StrCat(
          name, " of CPU ", cpu, " is ", own, ", that of CPU 0 is ", first,
          "; declared is one package with one die"));
    }
    return absl::OkStatus();
  }

  // The same for threads of a core, different for every core.
  absl::Status CheckCoreIds() {
    std::map<int, std::vector<int>> cpus_of_id;
    for (int cpu : all_) {
      const std::string file = CpuDir(cpu) + "/topology/core_id";
      if (!FileExists(Path(file))) continue;
      ABSL_ASSIGN_OR_RETURN(int id, Number(file));
      cpus_of_id[id].push_back(cpu);
    }
    for (const auto& [id, cpus] : cpus_of_id) {
      if (cpus == Siblings(cpus.front())) continue;
      differences_.push_back(
          absl::StrCat("core_id ", id, " is that of CPUs ", FormatCpuList(cpus),
                       ", declared ", FormatCpuList(Siblings(cpus.front()))));
    }
    return absl::OkStatus();
  }

  absl::Status CheckCaches(int cpu) {
    const std::string dir = CpuDir(cpu) + "/cache";
    std::map<int, std::vector<std::string>> by_level;
    if (FileExists(Path(dir))) {
      ABSL_ASSIGN_OR_RETURN(std::vector<std::string> names, ListDir(Path(dir)));
      for (const std::string& name : names) {
        if (!absl::StartsWith(name, "index")) continue;
        std::string index = absl::StrCat(dir, "/", name);
        ABSL_ASSIGN_OR_RETURN(int level, Number(index + "/level"));
        by_level[level].push_back(index);
      }
    }
    if (by_level.empty()) {
      differences_.push_back(absl::StrCat("CPU ", cpu, " shows no cache"));
      return absl::OkStatus();
    }
    const int last = by_level.rbegin()->first;
    for (const auto& [level, indices] : by_level) {
      for (const std::string& index : indices) {
        ABSL_RETURN_IF_ERROR(CheckCache(
            index, level == last
                       ? declared_.CpusOfLlc(declared_.PlaceOf(cpu).llc)
                       : Siblings(cpu)));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckCache(const std::string& index,
                          const std::vector<int>& sharing) {
    ABSL_RETURN_IF_ERROR(ExpectList(index + "/shared_cpu_list", sharing));
    ABSL_ASSIGN_OR_RETURN(std::string size, Text(index + "/size"));
    int kib = 0;
    if (!absl::SimpleAtoi(absl::StripSuffix(size, "K"), &kib) || kib <= 0) {
      differences_.push_back(
          absl::StrCat(index, "/size is \"", size, "\", not a size in KiB"));
    }
    return absl::OkStatus();
  }

  absl::Status CheckNodes() {
    std::set<std::string> expected;
    for (int node = 0; node < declared_.nodes(); ++node) {
      std::string dir = absl::StrCat("node", node);
      expected.insert(dir);
      if (!FileExists(Path("node/" + dir))) {
        differences_.push_back(absl::StrCat("there is no NUMA node ", node));
        continue;
      }
      ABSL_RETURN_IF_ERROR(ExpectList(absl::StrCat("node/", dir, "/cpulist"),
                                      declared_.CpusOfNode(node)));
      ABSL_RETURN_IF_ERROR(CheckDistances(node));
    }
    ABSL_ASSIGN_OR_RETURN(std::vector<std::string> names,
                          ListDir(Path("node")));
    for (absl::string_view name : names) {
      int id = 0;
      absl::string_view number = name;
      if (!absl::ConsumePrefix(&number, "node") ||
          !absl::SimpleAtoi(number, &id)) {
        continue;
      }
      if (!expected.contains(std::string(name))) {
        differences_.push_back(
            absl::StrCat("NUMA ", name, " exists but is not declared"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckDistances(int node) {
    const std::string file = absl::StrCat("node/node", node, "/distance");
    ABSL_ASSIGN_OR_RETURN(std::string text, Text(file));
    std::vector<int> expected(declared_.nodes(), kRemoteDistance);
    expected[node] = kLocalDistance;
    if (text != absl::StrJoin(expected, " ")) {
      differences_.push_back(absl::StrCat(file, " is \"", text,
                                          "\", declared \"",
                                          absl::StrJoin(expected, " "), "\""));
    }
    return absl::OkStatus();
  }

  const std::string root_;
  const Topology declared_;
  std::vector<int> all_;
  std::vector<std::string> differences_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> CompareTopology(
    const std::string& root, const Topology& declared) {
  return Comparison(root, declared).Run();
}

}  // namespace ktstr::guest
