// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/junit.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "proto/fleet.pb.h"
#include "results/names.h"
#include "results/printable.h"
#include "results/report.h"

namespace ktstr::results {
namespace {

double Seconds(const google::protobuf::Duration& duration) {
  return duration.seconds() + duration.nanos() / 1e9;
}

// Name of the child element that says how the case ended; empty for a pass.
absl::string_view ElementFor(const v1::Variant& variant,
                             const Leniency& leniency) {
  if (!leniency.WhyForgiven(variant).empty()) return "skipped";
  switch (variant.result().outcome()) {
    case v1::PASS:
      return "";
    case v1::FAIL:
      return "failure";
    case v1::SKIP:
    case v1::CANCELLED:
      return "skipped";
    default:
      return "error";
  }
}

struct Totals {
  int failures = 0;
  int errors = 0;
  int skipped = 0;
  double seconds = 0;
};

Totals Count(const std::vector<const v1::Variant*>& variants,
             const Leniency& leniency) {
  Totals totals;
  for (const v1::Variant* variant : variants) {
    absl::string_view element = ElementFor(*variant, leniency);
    totals.failures += element == "failure";
    totals.errors += element == "error";
    totals.skipped += element == "skipped";
    totals.seconds += Seconds(variant->result().wall_time());
  }
  return totals;
}

std::string CountAttributes(size_t tests, const Totals& totals) {
  return absl::StrFormat(
      "tests=\"%d\" failures=\"%d\" errors=\"%d\" skipped=\"%d\" "
      "time=\"%.3f\"",
      tests, totals.failures, totals.errors, totals.skipped, totals.seconds);
}

// "suite.test": CI servers group by what stands before the last dot.
std::string ClassName(const v1::VariantSpec& spec) {
  std::string suite =
      spec.suite().name().empty() ? "ktstr" : spec.suite().name();
  return absl::StrCat(suite, ".", spec.test());
}

// What a reader sees first.
std::string MessageOf(const v1::Variant& variant, const Leniency& leniency) {
  const std::string reason = PrintableLine(ReasonOf(variant), 1000);
  const std::string why = leniency.WhyForgiven(variant);
  if (why.empty()) return reason;
  return absl::StrCat(OutcomeName(variant.result().outcome()), ", ", why, ": ",
                      reason);
}

void AppendCase(const v1::Variant& variant, const Leniency& leniency,
                std::string& xml) {
  const v1::AttemptResult& result = variant.result();
  absl::StrAppend(
      &xml, "    <testcase classname=\"", XmlText(ClassName(variant.spec())),
      "\" name=\"", XmlText(variant.spec().name()), "\" ",
      absl::StrFormat("time=\"%.3f\"", Seconds(result.wall_time())));
  absl::string_view element = ElementFor(variant, leniency);
  if (element.empty()) {
    absl::StrAppend(&xml, "/>\n");
    return;
  }
  absl::StrAppend(&xml, ">\n      <", element);
  if (element != "skipped") {
    absl::StrAppend(&xml, " type=\"", OutcomeName(result.outcome()), "\"");
  }
  absl::StrAppend(&xml, " message=\"", XmlText(MessageOf(variant, leniency)),
                  "\"");
  if (element == "skipped") {
    absl::StrAppend(&xml, "/>\n");
  } else {
    absl::StrAppend(&xml, ">", XmlText(VariantReport(variant, {})), "</",
                    element, ">\n");
  }
  absl::StrAppend(&xml, "    </testcase>\n");
}

}  // namespace

std::string XmlText(absl::string_view text) {
  // U+FFFE and U+FFFF are valid UTF-8 and no XML characters.
  return absl::StrReplaceAll(Printable(text), {{"&", "&amp;"},
                                               {"<", "&lt;"},
                                               {">", "&gt;"},
                                               {"\"", "&quot;"},
                                               {"\xEF\xBF\xBE", "\\u{fffe}"},
                                               {"\xEF\xBF\xBF", "\\u{ffff}"}});
}

std::string JunitXml(const v1::Run& run,
                     const std::vector<const v1::Variant*>& variants,
                     const Leniency& leniency) {
  std::string counts =
      CountAttributes(variants.size(), Count(variants, leniency));
  std::string xml = absl::StrCat(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites ", counts,
      ">\n  <testsuite name=\"", XmlText(absl::StrCat("ktstr ", run.run_id())),
      "\" ", counts);
  if (run.has_created_at()) {
    absl::StrAppend(
        &xml, " timestamp=\"",
        absl::FormatTime("%Y-%m-%dT%H:%M:%SZ",
                         absl::FromUnixSeconds(run.created_at().seconds()),
                         absl::UTCTimeZone()),
        "\"");
  }
  absl::StrAppend(&xml, ">\n");
  for (const v1::Variant* variant : variants)
    AppendCase(*variant, leniency, xml);
  absl::StrAppend(&xml, "  </testsuite>\n</testsuites>\n");
  return xml;
}

}  // namespace ktstr::results
