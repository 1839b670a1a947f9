// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Whatever machine is declared, its tables can be walked as a kernel walks
// them: signatures, lengths, checksums, entries that fill their table.
//
// Shape: two bytes each for nodes, LLCs, cores and threads, four for MiB.

#include <cstdint>
#include <cstring>

#include "vmm/arch/x86_64/acpi.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/memory_plan.h"

namespace ktstr::vmm {
namespace {

constexpr uint64_t kMostMib = 1 << 20;
constexpr size_t kHeaderBytes = 36;

void Expect(bool is_so) {
  if (!is_so) __builtin_trap();
}

class Walker {
 public:
  explicit Walker(absl::Span<const std::byte> bytes) : bytes_(bytes) {}

  void Walk(const Topology& topology) {
    Expect(Is(0, "RSD PTR ") && Sum(0, 20) == 0 && Sum(0, 36) == 0);
    uint64_t xsdt = Get<uint64_t>(24) - kAcpiTables;
    CheckTable(xsdt, "XSDT");
    int cpus = 0;
    for (uint64_t at = kHeaderBytes; at < Length(xsdt); at += 8) {
      uint64_t table = Get<uint64_t>(xsdt + at) - kAcpiTables;
      CheckTable(table, nullptr);
      if (Is(table, "APIC")) cpus = CountCpus(table, 44, 0, 9);
      if (Is(table, "SRAT")) {
        Expect(CountCpus(table, 48, 2, 2) == topology.cpus());
      }
      if (Is(table, "SLIT")) {
        auto nodes = uint64_t(topology.nodes());
        Expect(Length(table) == 44 + nodes * nodes);
      }
    }
    Expect(cpus == topology.cpus());
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
    uint8_t sum = 0;
    for (uint64_t i = 0; i < size; ++i) sum += Get<uint8_t>(at + i);
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

  absl::Span<const std::byte> bytes_;
};

}  // namespace
}  // namespace ktstr::vmm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr::vmm;  // NOLINT
  struct {
    uint16_t nodes, llcs, cores, threads;
    uint32_t mib;
  } declared;
  if (size < sizeof(declared)) return 0;
  std::memcpy(&declared, data, sizeof(declared));
  auto topology = ktstr::Topology::Create(declared.nodes, declared.llcs,
                                          declared.cores, declared.threads);
  if (!topology.ok()) return 0;
  auto ram = PlanMemory(*topology, 1 + declared.mib % kMostMib);
  auto tables = BuildAcpiTables(*topology, ram, kAcpiTables,
                                kAcpiTablesEnd - kAcpiTables);
  if (tables.ok()) Walker(*tables).Walk(*topology);
  return 0;
}
