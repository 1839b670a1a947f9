// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_TESTING_MIRROR_H_
#define KTSTR_KERNEL_TESTING_MIRROR_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "kernel/testing/https_server.h"
#include "kernel/testing/signer.h"

namespace ktstr::kernel {

// A kernel.org of a test's own: an index, lists of checksums and tarballs with
// stand-in trees.
//
// Threads: any.
class Mirror {
 public:
  // Keeps its files below `dir`.
  explicit Mirror(std::string dir);
  ~Mirror();

  std::string url() const { return server_->url(); }
  // Certificates to trust, for $SSL_CERT_FILE.
  std::string ca_file() const;
  HttpsServer& server() { return *server_; }

  // Adds a release; `moniker` as in the index, "" for one that is listed only
  // among the tarballs.
  void Add(absl::string_view version, const std::string& moniker = "stable");
  // Has the lists of checksums signed from now on.
  void SignWith(const Signer* signer) ABSL_LOCKS_EXCLUDED(mutex_);
  // Changes the reply to requests for `path`; the count is of those before it.
  using Twist = std::function<void(HttpReply& reply, int count)>;
  void Change(const std::string& path, Twist twist) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the server.
  void Close() { server_.reset(); }

  // How often `path` was asked for.
  int Requests(absl::string_view path) const;

  static std::string TarballPath(absl::string_view version);
  static constexpr char kIndex[] = "/releases.json";
  static constexpr char kSums[] = "/pub/linux/kernel/v6.x/sha256sums.asc";

 private:
  HttpReply Answer(const HttpRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string dir_;
  Mutex mutex_;
  std::map<std::string, std::string> files_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Twist> twists_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> counts_ ABSL_GUARDED_BY(mutex_);
  std::string index_ ABSL_GUARDED_BY(mutex_);
  std::string sums_ ABSL_GUARDED_BY(mutex_);
  const Signer* signer_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::unique_ptr<HttpsServer> server_;  // ends before what it reads
};

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_TESTING_MIRROR_H_
