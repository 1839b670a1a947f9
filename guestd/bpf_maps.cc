// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/bpf_maps.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"
#include "guestd/bpf_call.h"

namespace ktstr::guestd {
namespace {

// SAFETY of the casts of pointers to integers: the kernel's interface wants
// them so, and what they point to outlives the call.
template <typename T>
uint64_t Address(T* pointer) {
  return reinterpret_cast<uint64_t>(pointer);
}

template <typename Info>
bool ReadInfo(int fd, Info& info) {
  bpf_attr attr = EmptyBpfAttr();
  attr.info.bpf_fd = fd;
  attr.info.info_len = sizeof(info);
  attr.info.info = Address(&info);
  return CallBpf(BPF_OBJ_GET_INFO_BY_FD, attr) == 0;
}

UniqueFd OpenMap(uint32_t id) {
  bpf_attr attr = EmptyBpfAttr();
  attr.map_id = id;
  return UniqueFd(CallBpf(BPF_MAP_GET_FD_BY_ID, attr));
}

// Adds the maps of program `id`; none when it is gone.
void AddMapIds(uint32_t id, std::set<uint32_t>& ids) {
  bpf_attr attr = EmptyBpfAttr();
  attr.prog_id = id;
  UniqueFd fd(CallBpf(BPF_PROG_GET_FD_BY_ID, attr));
  bpf_prog_info count = {};
  if (!fd || !ReadInfo(fd.get(), count)) return;
  std::vector<uint32_t> used(count.nr_map_ids);
  bpf_prog_info info = {};
  info.nr_map_ids = count.nr_map_ids;
  info.map_ids = Address(used.data());
  if (ReadInfo(fd.get(), info)) ids.insert(used.begin(), used.end());
}

absl::Status Refusal(const BpfMap& map) {
  const int error = errno;
  if (error == EPERM || error == EACCES) {
    return absl::PermissionDeniedError(
        absl::StrCat("map ", map.name, " is frozen: its values are constants"));
  }
  return absl::ErrnoToStatus(
      error, absl::StrCat("map ", map.name, " takes no writes"));
}

absl::Status StoreMapped(const BpfMap& map, int fd, uint32_t offset,
                         uint32_t value) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t in_page = offset % page;
  void* memory = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                      static_cast<off_t>(offset - in_page));
  if (memory == MAP_FAILED) return Refusal(map);
  // SAFETY: a multiple of 4 within the page that was mapped.
  auto* word =
      reinterpret_cast<uint32_t*>(static_cast<char*>(memory) + in_page);
  std::atomic_ref<uint32_t>(*word).store(value);
  munmap(memory, page);
  return absl::OkStatus();
}

absl::Status StoreCopied(const BpfMap& map, int fd, uint32_t offset,
                         uint32_t value) {
  const uint32_t key = 0;
  std::string content(map.value_size, '\0');
  bpf_attr attr = EmptyBpfAttr();
  attr.map_fd = fd;
  attr.key = Address(&key);
  attr.value = Address(content.data());
  if (CallBpf(BPF_MAP_LOOKUP_ELEM, attr) != 0) return Refusal(map);
  memcpy(content.data() + offset, &value, sizeof(value));
  attr.flags = BPF_EXIST;
  if (CallBpf(BPF_MAP_UPDATE_ELEM, attr) != 0) return Refusal(map);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<BpfMap>> MapsOfProgramsSince(uint32_t id) {
  std::set<uint32_t> ids;
  bpf_attr next = EmptyBpfAttr();
  next.start_id = id;
  while (CallBpf(BPF_PROG_GET_NEXT_ID, next) == 0) {
    AddMapIds(next.next_id, ids);
    next.start_id = next.next_id;
  }
  if (errno != ENOENT) {
    return absl::ErrnoToStatus(errno, "the kernel does not list its programs");
  }
  std::vector<BpfMap> maps;
  for (uint32_t map_id : ids) {
    UniqueFd fd = OpenMap(map_id);
    bpf_map_info info = {};
    if (!fd || !ReadInfo(fd.get(), info)) continue;
    maps.push_back(
        {.id = map_id,
         .name = std::string(info.name, strnlen(info.name, sizeof(info.name))),
         .type = info.type,
         .value_size = info.value_size,
         .is_mappable = (info.map_flags & BPF_F_MMAPABLE) != 0});
  }
  return maps;
}

absl::Status StoreInKernelMap(const BpfMap& map, uint32_t offset,
                              uint32_t value) {
  UniqueFd fd = OpenMap(map.id);
  if (!fd) {
    return absl::ErrnoToStatus(errno,
                               absl::StrCat("map ", map.name, " is gone"));
  }
  return map.is_mappable ? StoreMapped(map, fd.get(), offset, value)
                         : StoreCopied(map, fd.get(), offset, value);
}

}  // namespace ktstr::guestd
