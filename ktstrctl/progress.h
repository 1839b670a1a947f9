// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_PROGRESS_H_
#define KTSTR_KTSTRCTL_PROGRESS_H_

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "ktstrctl/terminal.h"

namespace ktstr::v1 {
class Variant;
}  // namespace ktstr::v1

namespace ktstr::ktstrctl {

// Shows a run while it goes on. On a terminal: finished variants scroll by
// above one status area that is redrawn in place. Elsewhere: a line when a
// guest starts and a line when a variant is finished.
//
// Trust:   names and reasons are made printable.
// Threads: one at a time.
class Progress {
 public:
  struct Options {
    FILE* out = stdout;
    Terminal terminal;
    // Says nothing but Error().
    bool is_quiet = false;
    Clock* clock = nullptr;  // RealClock() when null
  };
  explicit Progress(const Options& options);
  // Clears the status area.
  ~Progress() { Clear(); }

  // What is going on before the run exists: "uploading vmlinux". On a terminal
  // it replaces itself; elsewhere repeated text is said once.
  void Stage(absl::string_view text);

  void SetTotal(int total) { total_ = total; }
  // A variant's newest state.
  void Update(const v1::Variant& variant);
  // A line for people, above the status area.
  void Note(absl::string_view text);
  // Draws the status area again, for clocks that moved on.
  void Redraw();
  void Clear();

 private:
  struct Running {
    std::string name;
    std::string phase;
    std::string host;
    absl::Duration since;
  };

  void Line(absl::string_view text);
  void UpdateRunning(const v1::Variant& variant);
  void Finish(const v1::Variant& variant);
  std::vector<std::string> StatusLines() const;

  const Options options_;
  Clock* const clock_;
  const absl::Duration started_;
  int total_ = 0;
  int drawn_lines_ = 0;
  std::string stage_;
  std::map<int64_t, Running> running_;     // by variant index
  std::map<int64_t, int> finished_;        // index to outcome
  std::map<int64_t, int64_t> told_epoch_;  // start told for this attempt
  int passed_ = 0;
  int failed_ = 0;
  int missed_ = 0;
};

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_PROGRESS_H_
