// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/progress.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/fleet.pb.h"
#include "results/names.h"
#include "results/printable.h"
#include "results/report.h"
#include "results/style.h"
#include "results/table.h"

namespace ktstr::ktstrctl {
namespace {

using ::ktstr::results::PrintableLine;
using ::ktstr::results::ShortDuration;
using ::ktstr::results::Styled;
using ::ktstr::results::Tone;

constexpr size_t kMaxRunningLines = 8;

std::string FitTo(std::string line, int width) {
  if (width <= 1) return line;
  while (results::DisplayWidth(line) >= width) {
    // Whole characters: continuation bytes go with their first byte.
    while (!line.empty() && (line.back() & 0xC0) == 0x80) line.pop_back();
    line.pop_back();
  }
  return line;
}

}  // namespace

Progress::Progress(const Options& options)
    : options_(options),
      clock_(options.clock == nullptr ? &RealClock() : options.clock),
      started_(clock_->Monotonic()) {}

void Progress::Clear() {
  if (drawn_lines_ > 0) {
    // Up to the area's first line, then everything below goes.
    absl::FPrintF(options_.out, "\x1b[%dA\r\x1b[J", drawn_lines_);
  }
  drawn_lines_ = 0;
  fflush(options_.out);
}

void Progress::Line(absl::string_view text) {
  if (options_.is_quiet) return;
  Clear();
  absl::FPrintF(options_.out, "%s\n", text);
  fflush(options_.out);
}

void Progress::Note(absl::string_view text) {
  Line(results::Printable(text));
  Redraw();
}

void Progress::Stage(absl::string_view text) {
  if (stage_ == text) return;
  bool is_same_activity =
      !stage_.empty() &&
      stage_.substr(0, stage_.find(':')) == text.substr(0, text.find(':'));
  stage_ = std::string(text);
  if (options_.terminal.is_terminal) {
    Redraw();
  } else if (!stage_.empty() && !is_same_activity) {
    Line(text);
  }
}

std::vector<std::string> Progress::StatusLines() const {
  double elapsed = absl::ToDoubleSeconds(clock_->Monotonic() - started_);
  if (!stage_.empty()) {
    return {absl::StrCat(stage_, "  ", ShortDuration(elapsed))};
  }
  std::vector<std::string> lines;
  std::string summary =
      absl::StrFormat("[%d/%d] %d passed", finished_.size(), total_, passed_);
  if (failed_ > 0) absl::StrAppend(&summary, ", ", failed_, " failed");
  if (missed_ > 0) absl::StrAppend(&summary, ", ", missed_, " missed");
  absl::StrAppend(&summary, ", ", running_.size(), " running  ",
                  ShortDuration(elapsed));
  lines.push_back(summary);
  for (const auto& [index, running] : running_) {
    if (lines.size() > kMaxRunningLines) break;
    lines.push_back(absl::StrCat(
        "  ", running.name, "  ", running.phase, "  ", running.host, "  ",
        ShortDuration(
            absl::ToDoubleSeconds(clock_->Monotonic() - running.since))));
  }
  return lines;
}

void Progress::Redraw() {
  if (options_.is_quiet || !options_.terminal.is_terminal) return;
  Clear();
  if (stage_.empty() && total_ == 0) return;
  for (const std::string& line : StatusLines()) {
    absl::FPrintF(options_.out, "%s\n",
                  FitTo(PrintableLine(line), options_.terminal.width));
    ++drawn_lines_;
  }
  fflush(options_.out);
}

void Progress::Update(const v1::Variant& variant) {
  stage_.clear();
  if (variant.state() == v1::DONE) {
    Finish(variant);
  } else if (variant.state() == v1::LEASED) {
    UpdateRunning(variant);
  } else {
    running_.erase(variant.index());
  }
}

void Progress::UpdateRunning(const v1::Variant& variant) {
  auto [found, is_new] = running_.try_emplace(variant.index());
  Running& running = found->second;
  if (is_new) running.since = clock_->Monotonic();
  running.name = PrintableLine(variant.spec().name(), 200);
  running.phase = results::PhaseWords(variant.phase());
  running.host = PrintableLine(variant.host_id(), 64);
  if (options_.terminal.is_terminal || variant.phase() < v1::VMM_UP) return;
  if (std::exchange(told_epoch_[variant.index()], variant.epoch()) ==
      variant.epoch()) {
    return;
  }
  Line(absl::StrCat(
      "VMM_UP   ", running.name, "  on ", running.host,
      variant.epoch() > 1 ? absl::StrCat(", attempt ", variant.epoch()) : ""));
}

void Progress::Finish(const v1::Variant& variant) {
  running_.erase(variant.index());
  int outcome = variant.result().outcome();
  if (!finished_.emplace(variant.index(), outcome).second) return;
  passed_ += outcome == v1::PASS;
  failed_ += outcome == v1::FAIL || outcome == v1::ERROR;
  missed_ += outcome == v1::MISS;
  const auto& time = variant.result().wall_time();
  std::string reason =
      outcome == v1::PASS ? "" : PrintableLine(results::ReasonOf(variant), 200);
  Line(absl::StrCat(
      Styled(options_.terminal.has_colour, results::ToneOf(outcome),
             absl::StrFormat("%-8s", results::OutcomeName(outcome))),
      absl::StrFormat(" [%d/%d] %s  %s", finished_.size(), total_,
                      PrintableLine(variant.spec().name(), 200),
                      ShortDuration(time.seconds() + time.nanos() / 1e9)),
      reason.empty() ? "" : "  ", reason));
}

}  // namespace ktstr::ktstrctl
