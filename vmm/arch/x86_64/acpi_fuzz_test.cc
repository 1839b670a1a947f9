// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Whatever machine is declared, it is refused with a sentence or its tables can
// be walked as a kernel walks them: signatures, lengths, checksums, entries
// that fill their table.
//
// Shape: bytes are drawn one by one, zeros after the last. Most draws give what
//        is accepted; one of sixteen gives any value.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "vmm/arch/x86_64/acpi.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/memory_plan.h"

namespace ktstr::vmm {
namespace {

constexpr uint64_t kMostMib = 1 << 20;
constexpr size_t kHeaderBytes = 36;
// A matrix of a thousand rows tells no more and takes a thousand times as long.
constexpr int kMostRows = 32;

void Expect(bool is_so) {
  if (!is_so) __builtin_trap();
}

class Walker {
 public:
  explicit Walker(absl::Span<const std::byte> bytes) : bytes_(bytes) {}

  void Walk(const MachineTopology& machine) {
    Expect(Is(0, "RSD PTR ") && Sum(0, 20) == 0 && Sum(0, 36) == 0);
    uint64_t xsdt = Get<uint64_t>(24) - kAcpiTables;
    CheckTable(xsdt, "XSDT");
    int cpus = 0;
    for (uint64_t at = kHeaderBytes; at < Length(xsdt); at += 8) {
      uint64_t table = Get<uint64_t>(xsdt + at) - kAcpiTables;
      CheckTable(table, nullptr);
      if (Is(table, "APIC")) cpus = CountCpus(table, 44, 0, 9);
      if (Is(table, "SRAT")) {
        Expect(CountCpus(table, 48, 2, 2) == machine.cpus());
      }
      if (Is(table, "SLIT")) {
        auto nodes = uint64_t(machine.node_count());
        Expect(Length(table) == 44 + nodes * nodes);
      }
      if (Is(table, "HMAT")) WalkHmat(table, machine);
    }
    Expect(cpus == machine.cpus());
  }

 private:
  template <typename T>
  T Get(uint64_t at) {
    Expect(at <= bytes_.size() && sizeof(T) <= bytes_.size() - at);
    T value;
    std::memcpy(&value, bytes_.data() + at, sizeof(T));
    return value;
  }
  bool Is(uint64_t at, absl::string_view text) {
    Expect(at <= bytes_.size() && text.size() <= bytes_.size() - at);
    return std::memcmp(bytes_.data() + at, text.data(), text.size()) == 0;
  }
  uint32_t Length(uint64_t table) { return Get<uint32_t>(table + 4); }
  uint8_t Sum(uint64_t at, uint64_t size) {
    Expect(at <= bytes_.size() && size <= bytes_.size() - at);
    uint8_t sum = 0;
    for (std::byte byte : bytes_.subspan(at, size)) sum += uint8_t(byte);
    return sum;
  }
  void CheckTable(uint64_t table, const char* signature) {
    Expect(signature == nullptr || Is(table, signature));
    Expect(table % 16 == 0 && Length(table) >= kHeaderBytes);
    Expect(Sum(table, Length(table)) == 0);
  }
  // Entries of one of two types, from `first` to the table's very end.
  int CountCpus(uint64_t table, uint64_t first, uint8_t one, uint8_t other) {
    int count = 0;
    uint64_t at = first;
    while (at < Length(table)) {
      auto type = Get<uint8_t>(table + at), size = Get<uint8_t>(table + at + 1);
      Expect(size >= 2);
      count += type == one || type == other;
      at += size;
    }
    Expect(at == Length(table));
    return count;
  }

  // Structures to the very end; no entry is one of the reserved values.
  void WalkHmat(uint64_t table, const MachineTopology& machine) {
    uint64_t at = 40;
    while (at < Length(table)) {
      auto type = Get<uint16_t>(table + at);
      auto size = Get<uint32_t>(table + at + 4);
      Expect(type <= 2 && size >= 32);
      if (type == 0) {
        Expect(int(Get<uint32_t>(table + at + 12)) < machine.cpu_nodes());
      }
      if (type == 1) {
        uint64_t rows = Get<uint32_t>(table + at + 12);
        uint64_t columns = Get<uint32_t>(table + at + 16);
        uint64_t first = at + 32 + 4 * rows + 4 * columns;
        Expect(first + 2 * rows * columns == at + size);
        for (uint64_t i = 0; i < rows * columns; ++i) {
          auto entry = Get<uint16_t>(table + first + 2 * i);
          Expect(entry != 0 && entry != 0xFFFF);
        }
      }
      at += size;
    }
    Expect(at == Length(table));
  }

  absl::Span<const std::byte> bytes_;
};

// A machine declared by bytes.
class Declaration {
 public:
  Declaration(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  absl::StatusOr<MachineTopology> Machine() {
    MachineDetails details;
    int64_t memory_mib = 1 + Wide() % kMostMib;
    int nodes = 1 + Byte() % 8;
    int64_t llcs = nodes + Byte() % 16;
    if (Byte() % 2 == 0) {
      memory_mib = 0;
      llcs = 0;
      for (int node = 0; node < nodes; ++node) {
        details.nodes.push_back(Node(1 + Byte() % 4));
      }
      const int memory_only = Byte() % 4;
      for (int node = 0; node < memory_only; ++node) {
        details.nodes.push_back(Node(0));
      }
      for (const DeclaredNode& node : details.nodes) {
        memory_mib += node.memory_mib;
        llcs += node.llcs;
      }
    } else if (Byte() % 16 == 0) {
      nodes = llcs = 1 + Wide() % 1024;
    }
    const int all = std::min(
        kMostRows, details.nodes.empty() ? nodes : int(details.nodes.size()));
    if (Byte() % 2 == 0) details.distances = Distances(all);
    if (Byte() % 4 == 0)
      details.latency_ns = Matrix(std::min(nodes, kMostRows), all);
    if (Byte() % 4 == 0)
      details.bandwidth_mbps = Matrix(std::min(nodes, kMostRows), all);
    details.llcs_are = LlcsAre(Byte() % 3);
    constexpr int64_t kMostLlcs = std::numeric_limits<int>::max();
    auto topology = Topology::Create(nodes, int(std::min(llcs, kMostLlcs)),
                                     1 + Byte() % 4, 1 + Byte() % 2);
    if (!topology.ok()) return topology.status();
    return MachineTopology::Create(*topology, memory_mib, std::move(details));
  }

 private:
  uint8_t Byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  int Wide() {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | Byte();
    return int(value & 0x7FFFFFFF);
  }
  // `usual`, or now and then anything.
  int Mostly(int usual) { return Byte() % 16 == 15 ? Wide() : usual; }

  DeclaredNode Node(int llcs) {
    DeclaredNode node = {.llcs = Mostly(llcs),
                         .memory_mib = 1 + Wide() % 65536};
    if (Byte() % 4 == 0) node.latency_ns = Mostly(1 + Byte());
    if (Byte() % 4 == 0) node.bandwidth_mbps = Mostly(1 + Byte() * 100);
    if (Byte() % 4 == 0) {
      node.memory_side_cache = MemorySideCache{
          .size_mib = Mostly(1 + Byte()),
          .line_bytes = Mostly(64),
          .indexing = MemorySideCache::Indexing(Byte() % 2),
          .write_policy = MemorySideCache::WritePolicy(Byte() % 2)};
    }
    return node;
  }
  std::vector<std::vector<int>> Distances(int nodes) {
    std::vector<std::vector<int>> rows(nodes, std::vector<int>(nodes, 10));
    for (int from = 0; from < nodes; ++from) {
      for (int to = 0; to < from; ++to) {
        rows[to][from] = Mostly(11 + Byte() % 244);
        rows[from][to] = Byte() % 64 == 63 ? Wide() : rows[to][from];
      }
    }
    return rows;
  }
  std::vector<std::vector<int>> Matrix(int rows, int columns) {
    std::vector<std::vector<int>> matrix(rows, std::vector<int>(columns));
    for (auto& row : matrix) {
      for (int& value : row) value = Mostly(1 + Byte());
    }
    return matrix;
  }

  const uint8_t* data_;
  size_t left_;
};

}  // namespace
}  // namespace ktstr::vmm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr::vmm;  // NOLINT
  auto machine = Declaration(data, size).Machine();
  if (!machine.ok()) {
    if (machine.status().message().empty()) __builtin_trap();
    return 0;
  }
  auto tables = BuildAcpiTables(*machine, PlanMemory(*machine), {}, kAcpiTables,
                                kAcpiTablesEnd - kAcpiTables);
  if (tables.ok()) Walker(*tables).Walk(*machine);
  return 0;
}
