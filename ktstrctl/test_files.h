// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Programs and files that tests bring along (ktstr/payload.h).
#ifndef KTSTR_KTSTRCTL_TEST_FILES_H_
#define KTSTR_KTSTRCTL_TEST_FILES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ktstrctl/artifacts.h"
#include "proto/fleet.pb.h"

namespace ktstr::ktstrctl {

// Where to look.
struct TestFileOptions {
  // Directory of each suite of the request, in its order: behind the working
  // directory and before `search_path` ("DIR:DIR").
  std::vector<std::string> suite_dirs;
  std::string search_path;
  // Those of the submission.
  std::vector<std::string> filters;
};

// Fills in the request's test_files, as CollectIncludeFiles() finds them:
// payload, workloads, further files. Its suites are there already.
//
// Errors: InvalidArgument, one sentence with the test and the payload, for a
//         test that the filters want by its name and of which something is not
//         there or cannot be packed. Of one that they may want by a variant's
//         name the request says so; of others it says nothing.
absl::Status AddTestFiles(const TestFileOptions& options,
                          v1::SubmitRequest& request, Artifacts& artifacts);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_TEST_FILES_H_
