// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_BPF_CALL_H_
#define KTSTR_GUESTD_BPF_CALL_H_

#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ktstr::guestd {

// bpf(2). Fields that are not set have to be zero: EmptyBpfAttr().
inline int CallBpf(bpf_cmd command, bpf_attr& attr) {
  return static_cast<int>(syscall(SYS_bpf, command, &attr, sizeof(attr)));
}

// Its padding is zero, too.
inline bpf_attr EmptyBpfAttr() {
  bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  return attr;
}

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_BPF_CALL_H_
