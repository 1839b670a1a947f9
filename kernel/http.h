// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_HTTP_H_
#define KTSTR_KERNEL_HTTP_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace ktstr::kernel {

struct Download {
  std::string url;   // https only, redirects too
  std::string path;  // the file that appears
  // A longer answer is refused.
  uint64_t max_bytes = uint64_t{1} << 30;
  // Go on where an earlier call broke off. What came so far lies in
  // path + ".part", and what the server called it in path + ".part.of".
  bool resume = false;
  // Certificates to trust; empty: $CURL_CA_BUNDLE, $SSL_CERT_FILE, the
  // system's.
  std::string ca_file;
  absl::Duration connect_timeout = absl::Seconds(10);
  // So long with less than a kilobyte a second breaks the connection; whole
  // seconds.
  absl::Duration stall_timeout = absl::Seconds(30);
  // Becoming readable ends the call; -1: never. Borrowed.
  int cancel_fd = -1;
  // `total` is 0 while unknown. Called as bytes arrive; may be empty.
  std::function<void(uint64_t done, uint64_t total)> on_progress;
};

// Gets one file by HTTPS. A connection that breaks is taken up again at the
// byte where it broke, as long as each attempt brings something; the server
// must confirm that it is still the same file (If-Range), else it starts anew.
//
// Blocks:  until the file is there, or gives up. Waits for events only.
// Threads: any, each its own path.
// Trust:   every byte is the server's: counted, never interpreted.
// Errors: (the path does not exist after any of them)
//   InvalidArgument    no https URL.
//   NotFound           404 or 410.
//   Unavailable        no connection, or it broke for good, or 5xx. With
//                      `resume` the .part file stays.
//   PermissionDenied   the certificate is not trusted, or a redirect leaves
//                      https.
//   DataLoss           a web page (HTML) instead of the file.
//   ResourceExhausted  longer than max_bytes.
//   FailedPrecondition any other answer, by its number.
//   Cancelled          cancel_fd.
absl::Status GetFile(const Download& download);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_HTTP_H_
