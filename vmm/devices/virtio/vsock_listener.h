// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_VIRTIO_VSOCK_LISTENER_H_
#define KTSTR_VMM_DEVICES_VIRTIO_VSOCK_LISTENER_H_

#include <sys/un.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "vmm/devices/event_loop.h"

namespace ktstr::vmm {

// Errors: InvalidArgument when `path` is empty or longer than a unix socket
//         address holds.
absl::StatusOr<sockaddr_un> UnixAddress(const std::string& path);

// The socket through which host programs reach guest ports: a client connects
// to the path, sends "CONNECT <port>\n" and becomes a request.
//
// Trust:    clients may be slow, vanish or send anything: a line that is too
//           long, wrong or not complete within kHandshakeTimeout ends the
//           connection. At most kMaxHandshakes are in progress; more wait in
//           the kernel's backlog.
// Threads:  the event loop's; Create and the destructor as EventLoop says.
// Lifetime: borrows the loop. Removes the path at destruction.
class VsockListener {
 public:
  static constexpr int kMaxHandshakes = 64;
  static constexpr absl::Duration kHandshakeTimeout = absl::Seconds(10);

  // Receives the connected, non-blocking socket and the guest port asked for.
  using RequestCallback = std::function<void(UniqueFd, uint32_t port)>;

  // Listens, but accepts nobody before Resume.
  //
  // Errors:
  //   InvalidArgument  the path does not fit a socket address.
  //   AlreadyExists    the path exists.
  //   the mapping of errno for everything else.
  static absl::StatusOr<std::unique_ptr<VsockListener>> Create(
      EventLoop* loop, const std::string& path, RequestCallback on_request);
  VsockListener(const VsockListener&) = delete;
  VsockListener& operator=(const VsockListener&) = delete;
  ~VsockListener();

  // Starts and stops accepting. Handshakes in progress go on; clients that
  // connect meanwhile wait in the backlog.
  void Resume();
  void Pause();
  // Ends all handshakes.
  void DropHandshakes();

 private:
  struct Handshake {
    UniqueFd fd;
    std::string line;
    EventLoop::TimerId timeout;
  };

  VsockListener(EventLoop* loop, std::string path, UniqueFd fd,
                RequestCallback on_request);

  void UpdateAccepting();
  void AcceptOne();
  void ContinueHandshake(int fd);
  void EndHandshake(int fd);

  // Constant after construction.
  EventLoop* const loop_;
  const std::string path_;
  const UniqueFd fd_;
  const RequestCallback on_request_;

  bool is_resumed_ = false;
  bool is_watched_ = false;
  // Set while the process is out of descriptors.
  EventLoop::TimerId retry_timer_ = 0;
  // By descriptor.
  std::map<int, Handshake> handshakes_;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_DEVICES_VIRTIO_VSOCK_LISTENER_H_
