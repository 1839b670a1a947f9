// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_RUN_WATCH_H_
#define KTSTR_KTSTRCTL_RUN_WATCH_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/thread.h"
#include "base/unique_fd.h"

namespace grpc {
class ClientContext;
}  // namespace grpc

namespace ktstr::v1 {
class WatchRunResponse;
}  // namespace ktstr::v1

namespace ktstr::ktstrctl {

class FleetClient;

// Follows a run to its end, over as many streams as that takes: a coordinator
// that goes away and comes back costs a pause, not a change.
//
// Threads: one of its own ("watch"); methods from one other thread.
// Blocks:  the destructor ends the stream and joins.
class RunWatch {
 public:
  // `client` is kept and must outlive the object.
  static absl::StatusOr<std::unique_ptr<RunWatch>> Start(FleetClient* client,
                                                         std::string run_id);
  ~RunWatch();

  // Readable while Take() has something to give. Borrowed.
  int fd() const { return event_.get(); }

  struct News {
    // Oldest first.
    std::vector<v1::WatchRunResponse> batches;
    // Nothing more will come. `status` is not OK when that is because the
    // coordinator does not know the run.
    bool is_over = false;
    absl::Status status;
    // The stream is down; why.
    std::string trouble;
  };
  // What came since the last call. Does not wait.
  News Take();

 private:
  RunWatch(FleetClient* client, std::string run_id, UniqueFd event);
  void Run();
  // One stream. True when there is nothing more to watch.
  bool WatchOnce();
  void Tell() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  FleetClient* const client_;
  const std::string run_id_;
  const UniqueFd event_;

  absl::Mutex mutex_;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Of the stream that is open; owned by the thread.
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::vector<v1::WatchRunResponse> batches_ ABSL_GUARDED_BY(mutex_);
  int64_t version_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_over_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::string trouble_ ABSL_GUARDED_BY(mutex_);

  // Last: it uses all of the above.
  Thread thread_;
};

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_RUN_WATCH_H_
