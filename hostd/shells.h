// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_SHELLS_H_
#define KTSTR_HOSTD_SHELLS_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/thread.h"
#include "hostd/shell_link.h"
#include "proto/shells.grpc.pb.h"

namespace ktstr::hostd {

// The shells of this host, each until its guest is gone. They are attempts'
// neighbours: nothing of them is stored or repeated.
//
// Threads: any; each shell has one of its own ("shell"), which also starts its
//          vmm and lives until that is reaped.
class Shells {
 public:
  // Runs one shell to its end on the calling thread.
  using Runner = std::function<void(const ktstr::v1::ShellLease&, ShellLink*)>;

  // The coordinator gives a host fewer; one more is refused here.
  static constexpr size_t kMaxShells = 8;

  // What `stub` and `runner` refer to outlives this object.
  Shells(ktstr::v1::Shells::StubInterface* stub, Runner runner);

  // Stops what runs and waits for it.
  ~Shells();

  // Starts what is not here yet.
  void Reconcile(
      const google::protobuf::RepeatedPtrField<ktstr::v1::ShellLease>& leases);

  // Ends every shell, and takes no more.
  void StopAll();

 private:
  struct Entry {
    std::unique_ptr<ShellLink> link;
    bool is_finished = false;
    Thread thread;
  };

  void Start(const ktstr::v1::ShellLease& lease);
  // Joins those that are over.
  void Forget();

  ktstr::v1::Shells::StubInterface* const stub_;
  const Runner runner_;

  absl::Mutex mutex_;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
  // By token. An entry is erased after it finished.
  std::map<std::string, std::unique_ptr<Entry>> entries_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_SHELLS_H_
