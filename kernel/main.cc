// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// ktstr_fetch: gets one file by HTTPS for a program that is linked static and
// so cannot carry a TLS library of the system. What it writes to standard
// output is of kernel/fetch.h.
#include <stdio.h>

#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "kernel/http.h"

namespace {

constexpr absl::Duration kReportPeriod = absl::Milliseconds(100);

// Ten times a second, and at the end.
class Reporter {
 public:
  void Show(uint64_t done, uint64_t total) {
    const absl::Time now = absl::Now();
    if (now - sent_ < kReportPeriod && done != total) return;
    sent_ = now;
    printf("progress %llu %llu\n", static_cast<unsigned long long>(done),
           static_cast<unsigned long long>(total));
    // Whoever asked is gone: nobody wants the file.
    if (fflush(stdout) != 0) exit(1);
  }

 private:
  absl::Time sent_ = absl::InfinitePast();
};

}  // namespace

int main(int argc, char** argv) {
  ktstr::kernel::Download download;
  CLI::App app("Gets one file by HTTPS, from where an earlier try broke off");
  app.add_option("url", download.url)->required();
  app.add_option("file", download.path)->required();
  app.add_option("--max-bytes", download.max_bytes);
  app.add_flag("--resume", download.resume, "Go on with FILE.part");
  CLI11_PARSE(app, argc, argv);
  Reporter reporter;
  download.on_progress = [&reporter](uint64_t done, uint64_t total) {
    reporter.Show(done, total);
  };
  const absl::Status status = ktstr::kernel::GetFile(download);
  if (status.ok()) return 0;
  printf("error %d %s\n", static_cast<int>(status.code()),
         absl::StrReplaceAll(status.message(), {{"\n", " "}}).c_str());
  return 1;
}
