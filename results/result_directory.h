// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_RESULTS_RESULT_DIRECTORY_H_
#define KTSTR_RESULTS_RESULT_DIRECTORY_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "results/variant_json.h"

namespace ktstr::results {

// OK when a directory could be made below `parent`, which need not exist.
// Nothing is left behind.
//
// Errors: the mapping of errno, naming the directory that refused.
absl::Status CheckWritable(const std::string& parent);

// Where one run's results are written: PARENT/<UTC time>-<run id>/, always a
// new directory.
//
// Shape: per variant NAME-HASH.ktstr.json and, when they are not empty,
//        NAME-HASH.{console,dump,kernel,scheduler,test}.log with the bytes as
//        the guest sent them; run.json for the run. Each file appears whole or
//        not at all; nothing is ever overwritten except run.json.
// Threads: one at a time.
class ResultDirectory {
 public:
  // Makes the directory and a first run.json.
  //
  // `clock` is kept and must outlive the object.
  static absl::StatusOr<ResultDirectory> Create(const std::string& parent,
                                                const RunFacts& facts,
                                                Clock* clock);

  // Writes a finished variant. A variant that was written before is left as it
  // is.
  absl::Status Add(const v1::Variant& variant);

  // Replaces run.json: counts, seed, exclusions, one line for each variant
  // added so far.
  absl::Status WriteSummary(const v1::Run& run);

  const std::string& path() const { return path_; }

 private:
  struct Written {
    int64_t index = 0;
    std::string name;
    std::string outcome;
    std::string reason;
    std::string file;
  };

  ResultDirectory(std::string path, RunFacts facts, Clock* clock)
      : path_(std::move(path)), facts_(std::move(facts)), clock_(clock) {}
  std::string BaseNameFor(const v1::Variant& variant);
  absl::StatusOr<std::string> WriteLog(const std::string& base,
                                       const char* kind,
                                       const std::string& bytes);

  std::string path_;
  RunFacts facts_;
  Clock* clock_;
  std::set<int64_t> indexes_;
  std::set<std::string> base_names_;
  std::vector<Written> written_;
};

}  // namespace ktstr::results

#endif  // KTSTR_RESULTS_RESULT_DIRECTORY_H_
