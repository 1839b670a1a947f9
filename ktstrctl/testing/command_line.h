// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_TESTING_COMMAND_LINE_H_
#define KTSTR_KTSTRCTL_TESTING_COMMAND_LINE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "gtest/gtest.h"

namespace ktstr::ktstrctl {

// Runs the real ktstrctl with a fleet whose hostd is the fake one, in a private
// TMPDIR, cache and output directory.
class CommandLineTest : public ::testing::Test {
 protected:
  void SetUp() override;

  struct Finished {
    int code = -1;
    std::string out;
    std::string err;
  };
  Finished Run(const std::vector<std::string>& args,
               const std::vector<std::string>& extra_env = {});
  // `submit SUITE --kernel FAKE --output DIR` + args.
  Finished Submit(const std::vector<std::string>& args,
                  const std::vector<std::string>& extra_env = {});
  std::vector<std::string> SubmitArgs(std::vector<std::string> args) const;

  // A ktstrctl that goes on; its output is collected on demand.
  struct Running {
    Subprocess process;
    UniqueFd reader;
    std::string output;

    // Reads until `text` was printed.
    absl::Status AwaitText(const std::string& text);
    // Reads to the end and reaps.
    absl::StatusOr<ExitStatus> Finish();
  };
  absl::StatusOr<Running> Start(const std::vector<std::string>& argv,
                                const std::vector<std::string>& extra_env = {});

  // Processes that have this test's TMPDIR on their command line.
  std::vector<int> FleetPids() const;
  // Waits until those are gone.
  void AwaitNoFleet() const;
  // Entries of TMPDIR.
  std::vector<std::string> Leftovers() const;
  // Paths of result files, of every run so far.
  std::vector<std::string> ResultFiles() const;

  static std::string Built(const std::string& name);
  std::vector<std::string> Env(const std::vector<std::string>& extra) const;

  std::optional<TempDir> dir_;
  std::string tmp_;
  std::string output_dir_;
  std::string libexec_;
  std::string suite_;
  std::string kernel_;
  std::string program_;
};

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_TESTING_COMMAND_LINE_H_
