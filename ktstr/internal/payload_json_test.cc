// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/payload_json.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::internal {
namespace {

using ::testing::SizeIs;

// "path=value path=value", in order.
std::string Found(absl::string_view text) {
  std::string found;
  for (const JsonNumber& number : FindJsonNumbers(text).numbers) {
    absl::StrAppend(&found, found.empty() ? "" : " ", number.path, "=",
                    number.value);
  }
  return found;
}

std::string Repeated(absl::string_view part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) absl::StrAppend(&text, part);
  return text;
}

struct Case {
  const char* text;
  const char* found;
};

TEST(PayloadJsonTest, NumbersHaveThePathsOfTheirKeysAndIndices) {
  const Case cases[] = {
      {R"({"a":1})", "a=1"},
      {R"({"jobs":[{"read":{"iops":12.5}},{"read":{"iops":-3}}]})",
       "jobs.0.read.iops=12.5 jobs.1.read.iops=-3"},
      {R"([1,[2,3],{"a":4}])", "0=1 1.0=2 1.1=3 2.a=4"},
      {R"({"s":"5","b":true,"n":null,"a":[null,"x",6]})", "a.2=6"},
      {R"({"a":1e3,"b":18446744073709551615})", "a=1000 b=1.84467e+19"},
      {R"({"":7,"a":{"":8}})", "=7 a.=8"},
      {R"({"a.b":1,"a":{"b":2}})", "a.b=2"},
      {R"({"a":1,"a":2})", "a=2"},
      {R"({"a\u0062\"":1})", "ab\"=1"},
  };
  for (const Case& c : cases) EXPECT_EQ(Found(c.text), c.found) << c.text;
}

TEST(PayloadJsonTest, TheDocumentMayHaveAnythingAroundIt) {
  const Case cases[] = {
      {"", ""},
      {"no document", ""},
      {"42", ""},
      {"  {\"a\":1}\n", "a=1"},
      {"started\n{\"a\":1}\ndone\n", "a=1"},
      {"[info] {\"a\":1}", "a=1"},
      {"[[info]] {\"a\":1}", "a=1"},
      {"[now {\"a\":1}", "a=1"},
      {"{worker 3} {\"a\":1}", "a=1"},
      {"[12:30:01] {\"a\":1}", "a=1"},
      {"[ 12.345678] {\"a\":1}", "a=1"},
      {"[1] 4711\n{\"a\":1}", "a=1"},
      {"[1 {\"a\":1}", "a=1"},
      {"{} {\"a\":1}", "a=1"},
      {"{\"text\":\"only\"} {\"a\":1}", "a=1"},
      {"{ stray\n{\"a\":1}", "a=1"},
      {"it's 5\" wide {\"a\":1}", "a=1"},
      {"{\"a\":\"}]\",\"b\":2} tail }", "b=2"},
      {"{\"a\":1} {\"b\":2}", "a=1"},
      {"[1,2,3]", "0=1 1=2 2=3"},
      {"[1,2,3] and [4]", "0=1 1=2 2=3"},
  };
  for (const Case& c : cases) EXPECT_EQ(Found(c.text), c.found) << c.text;
}

TEST(PayloadJsonTest, PartsOfABrokenDocumentCountForNothing) {
  const Case cases[] = {
      // As programs write when they mean not a number.
      {R"({"x":nan,"jobs":[{"iops":5}]})", ""},
      {R"([{"x":nan},{"x":1}])", ""},
      {R"({"x":1,} {"a":2})", "a=2"},
      {R"({"x":1e999} {"a":2})", "a=2"},
      {"{'x':1} {\"a\":2}", "a=2"},
      // Cut off.
      {R"({"a":[1,2,3],"b":{"x":1})", ""},
      {R"({"a":1)", ""},
      {R"({"jobs":[{"x":nan},{"x":1})", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(Found(c.text), c.found) << c.text;
}

TEST(PayloadJsonTest, DeeperThanSixtyFourIsLeftOutAndSaid) {
  const std::string deep = absl::StrCat("{\"a\":1,\"deep\":", Repeated("[", 63),
                                        "2", Repeated("]", 63), ",\"z\":3}");
  JsonNumbers found = FindJsonNumbers(deep);
  EXPECT_THAT(found.numbers, SizeIs(3));
  EXPECT_FALSE(found.is_truncated);

  const std::string deeper =
      absl::StrCat("{\"a\":1,\"deep\":", Repeated("[", 64), "2",
                   Repeated("]", 64), ",\"z\":3}");
  found = FindJsonNumbers(deeper);
  EXPECT_EQ(Found(deeper), "a=1 z=3");
  EXPECT_TRUE(found.is_truncated);
}

TEST(PayloadJsonTest, TooManyNumbersAreLeftOutAndSaid) {
  const int max = JsonNumbers::kMaxNumbers;
  JsonNumbers found =
      FindJsonNumbers(absl::StrCat("[", Repeated("1,", max - 1), "1]"));
  EXPECT_THAT(found.numbers, SizeIs(max));
  EXPECT_FALSE(found.is_truncated);
  found = FindJsonNumbers(absl::StrCat("[", Repeated("1,", max), "1]"));
  EXPECT_THAT(found.numbers, SizeIs(max));
  EXPECT_TRUE(found.is_truncated);
}

TEST(PayloadJsonTest, PathsThatAreTooLongAreLeftOutAndSaid) {
  const std::string key(JsonNumbers::kMaxPathBytes, 'k');
  JsonNumbers found = FindJsonNumbers(
      absl::StrCat("{\"", key, "\":1,\"", key, "x\":{\"y\":[2]},\"a\":3}"));
  ASSERT_THAT(found.numbers, SizeIs(2));
  EXPECT_EQ(found.numbers[0].path, key);
  EXPECT_EQ(found.numbers[1].path, "a");
  EXPECT_TRUE(found.is_truncated);
}

// Each would take hours, gigabytes or the stack if it cost more than its size.
TEST(PayloadJsonTest, HostileTextCostsWhatItsSizeCosts) {
  const int kMany = 1 << 16;
  const absl::Time before = absl::Now();
  for (const char* part :
       {"[", "{", "{\"a\":", "[[", "[1,", "[x", "[1x", "{\"a\":[x", "[\"",
        "{\"a\":1}", "[{\"a\":x}]", "\\\"[", "[1 {"}) {
    FindJsonNumbers(Repeated(part, kMany));
  }
  FindJsonNumbers(absl::StrCat(Repeated("[", kMany), Repeated("]", kMany)));
  FindJsonNumbers(absl::StrCat("{\"", std::string(kMany, 'k'), "\":[",
                               Repeated("1,", kMany), "1]}"));
  EXPECT_LT(absl::Now() - before, absl::Minutes(1));
}

TEST(PayloadJsonTest, AnyBytesAreTaken) {
  const std::string bytes =
      std::string("{}[]\",:\\ 10e.-ntfu\xff\xc3\n") + '\0';
  std::mt19937_64 random(4711);
  for (int i = 0; i < 20000; ++i) {
    std::string text(random() % 40, ' ');
    for (char& c : text) c = bytes[random() % bytes.size()];
    for (const JsonNumber& number : FindJsonNumbers(text).numbers) {
      EXPECT_EQ(number.value, number.value) << text;
    }
  }
}

}  // namespace
}  // namespace ktstr::internal
