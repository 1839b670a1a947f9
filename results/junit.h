// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_RESULTS_JUNIT_H_
#define KTSTR_RESULTS_JUNIT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "results/leniency.h"

namespace ktstr::v1 {
class Run;
class Variant;
}  // namespace ktstr::v1

namespace ktstr::results {

// A run as JUnit XML, the dialect that CI servers read: one <testsuite>, one
// <testcase> a variant in the order given. FAIL is <failure>, ERROR and MISS
// are <error> (with the outcome as type), SKIP, CANCELLED and failures that
// `leniency` forgives are <skipped>.
//
// Trust: guest text may hold any bytes; the document is well-formed XML 1.0
//        whatever they are.
std::string JunitXml(const v1::Run& run,
                     const std::vector<const v1::Variant*>& variants,
                     const Leniency& leniency);

// Text for an XML 1.0 attribute or element: markup escaped, everything that
// may not stand in XML shown as in Printable().
std::string XmlText(absl::string_view text);

}  // namespace ktstr::results

#endif  // KTSTR_RESULTS_JUNIT_H_
