// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// A web server of a test's own, on this machine's loopback.
#ifndef KTSTR_KERNEL_TESTING_HTTPS_SERVER_H_
#define KTSTR_KERNEL_TESTING_HTTPS_SERVER_H_

#include <openssl/ssl.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "base/unique_fd.h"

namespace ktstr::kernel {

struct HttpRequest {
  std::string path;                            // "/releases.json"
  std::map<std::string, std::string> headers;  // names in lower case
};

struct HttpReply {
  int status = 200;
  std::string content_type = "application/octet-stream";
  std::string body;
  // Not empty: ranges of the body are served to who names it (If-Range).
  std::string etag;
  std::string location;  // of a redirect
  // After so many bytes of the body the connection breaks; -1: never.
  int64_t cut_after = -1;
  // ... or falls silent instead, until the client goes.
  bool hangs = false;
  // Leaves the length out, so that only the end of the connection tells it.
  bool hides_length = false;
};

// Serves each connection one request, on a thread of its own.
//
// Threads:  the handler is called on the connections' threads, several at once.
// Lifetime: the destructor breaks every connection and joins.
class HttpsServer {
 public:
  using Handler = std::function<HttpReply(const HttpRequest&)>;

  // Listens on a free port, with a certificate of its own for "localhost".
  static absl::StatusOr<std::unique_ptr<HttpsServer>> Start(Handler handler);
  ~HttpsServer();

  std::string url() const;  // "https://localhost:PORT"
  // What a client has to trust.
  const std::string& certificate_pem() const { return certificate_pem_; }
  // So far, in the order in which they were read.
  std::vector<HttpRequest> requests() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Blocks until a request for `path` was read.
  void AwaitRequest(absl::string_view path) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  HttpsServer() = default;
  void Accept();
  void Serve(int connection);

  Handler handler_;
  std::unique_ptr<SSL_CTX, FreeContext> context_;
  std::string certificate_pem_;
  int port_ = 0;
  UniqueFd listener_;
  UniqueFd stop_;  // eventfd, readable once the server ends
  mutable Mutex mutex_;
  std::vector<HttpRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<Thread> connections_;  // of the accepting thread
  Thread acceptor_;                  // joined first
};

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_TESTING_HTTPS_SERVER_H_
