// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/shell_stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_replace.h"
#include "grpcpp/grpcpp.h"
#include "ktstrctl/fleet_client.h"
#include "ktstrctl/rpc_status.h"

namespace ktstr::ktstrctl {
namespace {

// Waiting input beyond this is left where it comes from.
constexpr size_t kMaxQueuedBytes = 1 << 20;

}  // namespace

absl::StatusOr<std::unique_ptr<ShellStream>> ShellStream::Start(
    FleetClient* client, const v1::ShellRequest& request, Options options) {
  UniqueFd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event || !stop) return absl::ErrnoToStatus(errno, "eventfd");
  // The constructor is private, which make_unique cannot call.
  std::unique_ptr<ShellStream> stream(
      new ShellStream(client, options, std::move(event), std::move(stop)));
  stream->stream_ =
      v1::Shells::NewStub(client->channel())->Open(&stream->context_);
  v1::OpenShellRequest first;
  *first.mutable_request() = request;
  stream->stream_->Write(first);
  ShellStream* self = stream.get();
  stream->reader_ = Thread("shell-out", [self] { self->Read(); });
  stream->writer_ = Thread("shell-in", [self] { self->Write(); });
  return stream;
}

ShellStream::ShellStream(FleetClient* client, Options options, UniqueFd event,
                         UniqueFd stop)
    : client_(client),
      options_(options),
      event_(std::move(event)),
      stop_(std::move(stop)) {}

ShellStream::~ShellStream() {
  Cancel();
  reader_.Join();
  writer_.Join();
}

void ShellStream::Cancel() {
  context_.TryCancel();
  eventfd_write(stop_.get(), 1);
}

void ShellStream::Tell() { eventfd_write(event_.get(), 1); }

ShellStream::News ShellStream::Take() {
  absl::MutexLock lock(&mutex_);
  eventfd_t ignored;
  eventfd_read(event_.get(), &ignored);
  News news = news_;
  news_.progress.clear();
  return news;
}

bool ShellStream::HasRoom() const {
  absl::MutexLock lock(&mutex_);
  return queued_bytes_ < kMaxQueuedBytes;
}

void ShellStream::SendData(std::string bytes) {
  v1::ShellInput input;
  input.set_data(std::move(bytes));
  Queue(std::move(input));
}

void ShellStream::SendClosed() {
  v1::ShellInput input;
  input.set_closed(true);
  Queue(std::move(input));
}

void ShellStream::SendWindow(int rows, int columns) {
  v1::ShellInput input;
  input.mutable_window()->set_rows(rows);
  input.mutable_window()->set_columns(columns);
  Queue(std::move(input));
}

void ShellStream::Queue(v1::ShellInput input) {
  absl::MutexLock lock(&mutex_);
  if (has_ended_) return;
  queued_bytes_ += input.data().size();
  *queue_.emplace_back().mutable_input() = std::move(input);
}

void ShellStream::Write() {
  auto is_needed = [this] {
    mutex_.AssertReaderHeld();
    return has_ended_ || !queue_.empty();
  };
  while (true) {
    v1::OpenShellRequest next;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&is_needed));
      if (has_ended_) break;
      next = std::move(queue_.front());
      queue_.pop_front();
    }
    bool is_written = stream_->Write(next);
    {
      absl::MutexLock lock(&mutex_);
      bool had_room = queued_bytes_ < kMaxQueuedBytes;
      queued_bytes_ -= next.input().data().size();
      if (!had_room) Tell();
    }
    if (!is_written) break;
  }
  // The other side waits for this when it has sent the end.
  stream_->WritesDone();
  absl::MutexLock lock(&mutex_);
  is_writing_over_ = true;
}

void ShellStream::Read() {
  v1::ShellOutput output;
  bool is_printing = true;
  while (stream_->Read(&output)) {
    switch (output.output_case()) {
      case v1::ShellOutput::kOut:
        is_printing = is_printing && Print(options_.out_fd, output.out());
        break;
      case v1::ShellOutput::kErr:
        is_printing = is_printing && Print(options_.err_fd, output.err());
        break;
      case v1::ShellOutput::kConsole:
        is_printing = is_printing && PrintConsole(output.console());
        break;
      default:
        break;
    }
    absl::MutexLock lock(&mutex_);
    if (output.has_progress()) news_.progress = output.progress();
    if (output.has_started()) news_.is_started = true;
    if (output.has_end()) {
      news_.end = output.end();
      has_ended_ = true;
    }
    news_.is_output_lost = !is_printing;
    bool is_news = output.has_progress() || output.has_started() ||
                   output.has_end() || !is_printing;
    if (is_news) Tell();
  }
  {
    absl::MutexLock lock(&mutex_);
    has_ended_ = true;
    mutex_.Await(absl::Condition(&is_writing_over_));
  }
  grpc::Status status = stream_->Finish();
  absl::MutexLock lock(&mutex_);
  news_.is_over = true;
  if (news_.end.kind() == v1::ShellEnd::KIND_UNSPECIFIED) {
    news_.status = status.ok() ? absl::DataLossError(
                                     "the coordinator ended the shell without "
                                     "saying why")
                               : FromRpc(status);
  }
  Tell();
}

bool ShellStream::Print(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    pollfd waited[2] = {{.fd = fd, .events = POLLOUT, .revents = 0},
                        {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
    if (poll(waited, 2, -1) < 0) continue;
    if (waited[1].revents != 0) return false;
    // A pipe that is ready takes this much without blocking.
    ssize_t count =
        write(fd, bytes.data(), std::min<size_t>(bytes.size(), PIPE_BUF));
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

bool ShellStream::PrintConsole(absl::string_view bytes) {
  if (!options_.is_raw) return Print(options_.err_fd, bytes);
  return Print(options_.err_fd,
               absl::StrReplaceAll(bytes, {{"\r\n", "\r\n"}, {"\n", "\r\n"}}));
}

}  // namespace ktstr::ktstrctl
