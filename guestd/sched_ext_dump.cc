// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/sched_ext_dump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/proto_time.h"
#include "base/status_macros.h"
#include "guestd/printable.h"

namespace ktstr::guestd {
namespace {

constexpr absl::string_view kEvent = "sched_ext_dump: ";
constexpr size_t kReadBytes = 16 << 10;
// In one turn of the loop; the rest of it has to go on.
constexpr int kReadsPerTurn = 64;
constexpr int kMaxReadsPerDrain = 1 << 14;
constexpr size_t kMaxLineBytes = 4096;

bool ConsumeDecimal(absl::string_view* text, int64_t* number) {
  size_t digits = 0;
  while (digits < text->size() && (*text)[digits] >= '0' &&
         (*text)[digits] <= '9') {
    ++digits;
  }
  if (!absl::SimpleAtoi(text->substr(0, digits), number)) return false;
  text->remove_prefix(digits);
  return true;
}

// Events that the kernel could not store, summed up over the CPUs of `dir`.
int64_t CountDropped(const std::string& dir) {
  int64_t dropped = 0;
  const std::string per_cpu = JoinPath(dir, "per_cpu");
  absl::StatusOr<std::vector<std::string>> cpus = ListDir(per_cpu);
  if (!cpus.ok()) return 0;
  for (const std::string& cpu : *cpus) {
    absl::StatusOr<std::string> stats =
        ReadFile(absl::StrCat(per_cpu, "/", cpu, "/stats"), 4096);
    if (!stats.ok()) continue;
    for (absl::string_view line : absl::StrSplit(*stats, '\n')) {
      int64_t count = 0;
      if (absl::ConsumePrefix(&line, "dropped events: ") &&
          absl::SimpleAtoi(line, &count)) {
        dropped += count;
      }
    }
  }
  return dropped;
}

}  // namespace

absl::optional<v1::StalledTask> ParseDumpedTask(absl::string_view line) {
  // A space, the marker, the state, a space, NAME[PID], a space, -NUMBERms
  if (line.size() < 4 || line[0] != ' ' || line[1] != ' ' || line[2] == ' ' ||
      line[3] != ' ' || !absl::ConsumeSuffix(&line, "ms")) {
    return absl::nullopt;
  }
  line.remove_prefix(4);
  const size_t name_end = line.rfind('[');
  if (name_end == absl::string_view::npos) return absl::nullopt;
  absl::string_view numbers = line.substr(name_end + 1);
  int64_t pid = 0;
  int64_t waited_ms = 0;
  if (!ConsumeDecimal(&numbers, &pid) || pid > INT32_MAX ||
      !absl::ConsumePrefix(&numbers, "] -") ||
      !ConsumeDecimal(&numbers, &waited_ms) || !numbers.empty()) {
    return absl::nullopt;
  }
  v1::StalledTask task;
  task.set_comm(PrintableLine(line.substr(0, name_end), 64));
  task.set_pid(static_cast<int32_t>(pid));
  *task.mutable_waited() = ToProtoDuration(absl::Milliseconds(waited_ms));
  return task;
}

absl::StatusOr<std::unique_ptr<SchedExtDump>> SchedExtDump::Create(
    const std::string& tracefs, EventLoop* loop,
    std::function<void(absl::string_view)> on_text) {
  std::string dir = JoinPath(tracefs, "instances/ktstr-guestd");
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::ErrnoToStatus(errno, absl::StrCat("make ", dir));
  }
  std::unique_ptr<SchedExtDump> dump(
      new SchedExtDump(std::move(dir), loop, std::move(on_text)));
  ABSL_RETURN_IF_ERROR(dump->Open());
  return dump;
}

SchedExtDump::SchedExtDump(std::string dir, EventLoop* loop,
                           std::function<void(absl::string_view)> on_text)
    : dir_(std::move(dir)), loop_(loop), on_text_(std::move(on_text)) {}

absl::Status SchedExtDump::Open() {
  const std::string event = JoinPath(dir_, "events/sched_ext/sched_ext_dump");
  // The beginning of a dump says most: nothing may overwrite it.
  ABSL_RETURN_IF_ERROR(WriteExisting(JoinPath(dir_, "options/overwrite"), "0"));
  // Neither task nor time before every line.
  ABSL_RETURN_IF_ERROR(
      WriteExisting(JoinPath(dir_, "options/context-info"), "0"));
  ABSL_ASSIGN_OR_RETURN(
      pipe_, OpenFile(JoinPath(dir_, "trace_pipe"), O_RDONLY | O_NONBLOCK));
  ABSL_RETURN_IF_ERROR(WriteExisting(JoinPath(event, "enable"), "1"));
  loop_->Watch(pipe_.get(), POLLIN, [this] {
    for (int i = 0; i < kReadsPerTurn && ReadSome(); ++i) {
    }
  });
  return absl::OkStatus();
}

SchedExtDump::~SchedExtDump() {
  if (pipe_) loop_->Forget(pipe_.get());
  pipe_.Reset();
  // Takes the event out as well.
  rmdir(dir_.c_str());
}

void SchedExtDump::Drain() {
  for (int i = 0; i < kMaxReadsPerDrain && ReadSome(); ++i) {
  }
  NoteDropped();
}

bool SchedExtDump::ReadSome() {
  char buffer[kReadBytes];
  ssize_t count = read(pipe_.get(), buffer, sizeof(buffer));
  if (count < 0 && errno == EINTR) return true;
  // Somebody has switched the instance off.
  if (count == 0) loop_->Forget(pipe_.get());
  if (count <= 0) return false;
  rest_.append(buffer, count);
  std::string text;
  absl::string_view left = rest_;
  for (size_t end; (end = left.find('\n')) != left.npos;
       left.remove_prefix(end + 1)) {
    TakeLine(left.substr(0, end), &text);
  }
  rest_.erase(0, rest_.size() - left.size());
  if (rest_.size() > kMaxLineBytes) rest_.resize(kMaxLineBytes);
  if (!text.empty()) Deliver(text);
  return true;
}

void SchedExtDump::TakeLine(absl::string_view line, std::string* text) {
  size_t at = line.find(kEvent);
  if (at != absl::string_view::npos) line.remove_prefix(at + kEvent.size());
  absl::StrAppend(text, line, "\n");
  absl::optional<v1::StalledTask> task = ParseDumpedTask(line);
  if (!task) return;
  if (!longest_waiting_ || FromProtoDuration(task->waited()) >
                               FromProtoDuration(longest_waiting_->waited())) {
    longest_waiting_ = *std::move(task);
  }
}

void SchedExtDump::Deliver(absl::string_view text) {
  if (is_full_) return;
  if (delivered_bytes_ + text.size() <= kMaxBytes) {
    delivered_bytes_ += text.size();
    on_text_(text);
    return;
  }
  is_full_ = true;
  // Up to the end of a line.
  text = text.substr(0, kMaxBytes - delivered_bytes_);
  const size_t end = text.rfind('\n');
  on_text_(absl::StrCat(text.substr(0, end == text.npos ? 0 : end + 1),
                        "[the dump is longer than ", kMaxBytes,
                        " bytes; the rest is left out]\n"));
}

void SchedExtDump::NoteDropped() {
  if (is_drop_noted_ || is_full_) return;
  const int64_t dropped = CountDropped(dir_);
  if (dropped == 0) return;
  is_drop_noted_ = true;
  on_text_(absl::StrCat("[", dropped,
                        " lines more did not fit into the kernel's buffer]\n"));
}

}  // namespace ktstr::guestd
