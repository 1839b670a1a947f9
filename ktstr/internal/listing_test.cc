// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/listing.h"

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ktstr/internal/registry.h"
#include "ktstr/options.h"
#include "ktstr/test.h"
#include "proto/suite.pb.h"

namespace ktstr {
namespace {

using ::absl_testing::StatusIs;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr SchedulerDef kScheduler =
    SchedulerDef("mine", "scx_mine")
        .arg("--a b")
        .arg("it's \"quoted\"\nover two lines")
        .sysctl("kernel.sched_schedstats", "0")
        .sysctl("kernel.sched_schedstats", "1")
        .karg("preempt=full")
        .cgroup_parent("/cells")
        .watchdog_timeout(std::chrono::milliseconds(1500))
        .config_file("conf/layers.json")
        .flag({.name = "llc", .args = {"--llc"}})
        .flag(
            {.name = "steal", .args = {"--steal"}, .requires_flags = {"llc"}});

constexpr PayloadDef kFio =
    PayloadDef{"reader"}.program("fio").include("jobs/read.fio");
constexpr PayloadDef kLoad{"load"};

KTSTR_TEST(zebra, .payload = &kFio, .workloads = {&kLoad},
           .extra_include_files = {"data"},
           .bpf_map_write = {{".bss", 8, 0xffffffff}, {"options", 0, 7}}) {
  return pass();
}

// In another order than TestOptions has.
KTSTR_TEST(built, Options()
                      .bpf_map_write({{".data", 4, 3}})
                      .repeat(2)
                      .duration(250ms)
                      .memory_mib(300)
                      .topology({.llcs = 3})) {
  return pass();
}

KTSTR_TEST(apple, .scheduler = &kScheduler, .topology = {.llcs = 2, .cores = 4},
           .constraints = {.min_llcs = 2, .requires_smt = true},
           .memory_mib = 512, .required_flags = {"steal"}, .excluded_flags = {},
           .duration = 1500ms, .workers_per_cgroup = 3,
           .checks = {.max_gap_ms = 5},
           .expect = expect(FindingKind::kStuck).tolerate(FindingKind::kUnfair),
           .repeat = 3, .require = 2,
           .quarantine = {.reason = "issue 12", .until = "2027-01-31"},
           .ignored_by_default = true, .cleanup_budget = 1250ms,
           .extra_sched_args = {"--extra"}) {
  return skip(ctx.topology().num_llcs() > 0 ? "a" : "b");
}

}  // namespace

namespace internal {
namespace {

v1::SuiteDescription Linked() {
  absl::StatusOr<std::string> bytes = DescribeSuite("suite", LinkedTests());
  EXPECT_OK(bytes);
  v1::SuiteDescription suite;
  EXPECT_TRUE(bytes.ok() && suite.ParseFromString(*bytes));
  return suite;
}

TEST(ListingTest, EveryLinkedTestIsListedByName) {
  v1::SuiteDescription suite = Linked();
  EXPECT_EQ(suite.format_version(), 1);
  EXPECT_EQ(suite.name(), "suite");
  ASSERT_EQ(suite.tests_size(), 3);
  EXPECT_EQ(suite.tests(0).name(), "apple");
  EXPECT_EQ(suite.tests(1).name(), "built");
  EXPECT_EQ(suite.tests(2).name(), "zebra");
  EXPECT_THAT(suite.work_types(), Contains("YieldHeavy"));
}

TEST(ListingTest, DefaultsAreResolved) {
  const v1::TestDescription zebra = Linked().tests(2);
  EXPECT_EQ(zebra.topology(), "1n1l2c1t");
  EXPECT_EQ(zebra.memory_mib(), 2048);
  EXPECT_EQ(zebra.duration().seconds(), 2);
  EXPECT_EQ(zebra.workers_per_cgroup(), 2);
  EXPECT_FALSE(zebra.has_cleanup_budget());
  EXPECT_EQ(zebra.constraints().max_llcs(), 12);
  EXPECT_EQ(zebra.constraints().max_cpus(), 192);
  EXPECT_FALSE(zebra.has_scheduler());
  EXPECT_FALSE(zebra.ignored_by_default());
  EXPECT_THAT(zebra.source_file(), HasSubstr("listing_test.cc"));
  EXPECT_GT(zebra.source_line(), 0);
}

TEST(ListingTest, DeclaredOptionsArrive) {
  const v1::TestDescription apple = Linked().tests(0);
  EXPECT_EQ(apple.topology(), "1n2l4c1t");
  EXPECT_EQ(apple.memory_mib(), 512);
  EXPECT_EQ(apple.duration().seconds(), 1);
  EXPECT_EQ(apple.duration().nanos(), 500'000'000);
  EXPECT_EQ(apple.workers_per_cgroup(), 3);
  EXPECT_EQ(apple.cleanup_budget().seconds(), 1);
  EXPECT_EQ(apple.cleanup_budget().nanos(), 250'000'000);
  EXPECT_EQ(apple.constraints().min_llcs(), 2);
  EXPECT_TRUE(apple.constraints().requires_smt());
  EXPECT_THAT(apple.required_flags(), ElementsAre("steal"));
  EXPECT_EQ(apple.scheduler().binary(), "scx_mine");
  EXPECT_THAT(apple.scheduler().args(),
              ElementsAre("--a b", "it's \"quoted\"\nover two lines"));
  EXPECT_THAT(apple.extra_scheduler_args(), ElementsAre("--extra"));
  ASSERT_EQ(apple.scheduler().flags_size(), 2);
  EXPECT_THAT(apple.scheduler().flags(1).requires_flags(), ElementsAre("llc"));
  EXPECT_TRUE(apple.ignored_by_default());
}

absl::StatusOr<v1::TestDescription> Listed(const TestOptions& options) {
  const TestEntry entry{.name = "listed",
                        .file = "f.cc",
                        .line = 1,
                        .options = options,
                        .body = nullptr};
  const TestEntry* entries[] = {&entry};
  absl::StatusOr<std::string> bytes = DescribeSuite("suite", entries);
  if (!bytes.ok()) return bytes.status();
  v1::SuiteDescription suite;
  EXPECT_TRUE(suite.ParseFromString(*bytes));
  return suite.tests(0);
}

TEST(ListingTest, NodesSayWhatTheMachineIs) {
  TestOptions options{.topology = {.cores = 2},
                      .nodes = {{.llcs = 1, .memory_mib = 512},
                                {.llcs = 1, .memory_mib = 300},
                                {.memory_mib = 100, .latency_ns = 400}},
                      .distances = {10, 20, 17, 20, 10, 30, 17, 30, 10}};
  ASSERT_OK_AND_ASSIGN(v1::TestDescription test, Listed(options));
  EXPECT_EQ(test.topology(), "2n2l2c1t");
  EXPECT_EQ(test.memory_mib(), 912);
  ASSERT_EQ(test.machine().nodes_size(), 3);
  EXPECT_EQ(test.machine().nodes(2).llcs(), 0);
  EXPECT_EQ(test.machine().nodes(2).latency_ns(), 400);
  EXPECT_THAT(test.machine().distances(),
              ElementsAre(10, 20, 17, 20, 10, 30, 17, 30, 10));
}

TEST(ListingTest, NodesThatMayNotBeAreNamed) {
  const auto why = [](const TestOptions& options) {
    return std::string(Listed(options).status().message());
  };
  EXPECT_THAT(why({.nodes = {{.llcs = 1, .memory_mib = 100}}}),
              HasSubstr("test listed: its nodes have 100 MiB, needed are 256"));
  EXPECT_THAT(
      why({.nodes = {{.memory_mib = 300}, {.llcs = 1, .memory_mib = 1}}}),
      HasSubstr("list memory-only nodes last"));
  EXPECT_THAT(
      why({.nodes = {{.llcs = 1, .memory_mib = 300}}, .distances = {10, 20}}),
      HasSubstr("2 distances of 1 nodes; accepted are none or 1"));
  EXPECT_THAT(
      why({.nodes = {{.llcs = 1, .memory_mib = 300}, {.memory_mib = 300}},
           .distances = {10, 5, 5, 10}}),
      HasSubstr("distance"));
  EXPECT_THAT(why({.nodes = {{.llcs = 1, .memory_mib = 300}},
                   .performance_mode = true}),
              HasSubstr("performance_mode"));
}

TEST(ListingTest, MapWritesArriveInTheirOrder) {
  const v1::TestDescription zebra = Linked().tests(2);
  ASSERT_EQ(zebra.bpf_map_writes_size(), 2);
  EXPECT_EQ(zebra.bpf_map_writes(0).map_suffix(), ".bss");
  EXPECT_EQ(zebra.bpf_map_writes(0).offset(), 8u);
  EXPECT_EQ(zebra.bpf_map_writes(0).value(), 0xffffffffu);
  EXPECT_EQ(zebra.bpf_map_writes(1).map_suffix(), "options");
  EXPECT_EQ(Linked().tests(0).bpf_map_writes_size(), 0);
  const v1::TestDescription built = Linked().tests(1);
  ASSERT_EQ(built.bpf_map_writes_size(), 1);
  EXPECT_EQ(built.bpf_map_writes(0).value(), 3u);
}

TEST(ListingTest, OptionsMayBeBuiltInAnyOrder) {
  const v1::TestDescription built = Linked().tests(1);
  EXPECT_EQ(built.repeat(), 2);
  EXPECT_EQ(built.duration().nanos(), 250'000'000);
  EXPECT_EQ(built.memory_mib(), 300);
  EXPECT_EQ(built.topology(), "1n3l2c1t");
}

TEST(ListingTest, WhatIsMadeOfTheOutcomeArrives) {
  const v1::TestDescription apple = Linked().tests(0);
  EXPECT_THAT(apple.expectation().findings(), ElementsAre(v1::STUCK));
  EXPECT_THAT(apple.expectation().also(), ElementsAre(v1::UNFAIR));
  EXPECT_EQ(apple.repeat(), 3);
  EXPECT_EQ(apple.require(), 2);
  EXPECT_EQ(apple.quarantine().reason(), "issue 12");
  EXPECT_EQ(apple.quarantine().until(), "2027-01-31");
  const v1::TestDescription zebra = Linked().tests(2);
  EXPECT_FALSE(zebra.has_expectation());
  EXPECT_EQ(zebra.repeat(), 1);
  EXPECT_EQ(zebra.require(), 1);
  EXPECT_FALSE(zebra.has_quarantine());
}

TEST(ListingTest, WhatASchedulerWantsOfItsGuestArrives) {
  const v1::SchedulerDescription mine = Linked().tests(0).scheduler();
  EXPECT_THAT(mine.setup().kargs(), ElementsAre("preempt=full"));
  ASSERT_EQ(mine.setup().sysctls_size(), 2);
  EXPECT_EQ(mine.setup().sysctls(0).value(), "0");
  EXPECT_EQ(mine.setup().sysctls(1).key(), "kernel.sched_schedstats");
  EXPECT_EQ(mine.setup().sysctls(1).value(), "1");
  EXPECT_EQ(mine.setup().cgroup_parent(), "/cells");
  EXPECT_EQ(mine.setup().watchdog_timeout().seconds(), 1);
  EXPECT_EQ(mine.setup().watchdog_timeout().nanos(), 500'000'000);
  EXPECT_EQ(mine.config_file(), "conf/layers.json");
}

absl::Status Check(TestOptions options, std::string_view name = "t") {
  TestEntry entry{.name = name, .file = "f.cc", .line = 3, .options = options};
  const TestEntry* const tests[] = {&entry};
  return CheckTests(tests);
}

auto Invalid(const std::string& text) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text));
}

TEST(ListingTest, ProgramsAndFilesThatATestBringsArrive) {
  v1::SuiteDescription suite = Linked();
  const v1::TestDescription& zebra = suite.tests(2);
  ASSERT_EQ(zebra.payloads_size(), 2);
  EXPECT_EQ(zebra.payloads(0).name(), "reader");
  EXPECT_EQ(zebra.payloads(0).binary(), "fio");
  EXPECT_THAT(zebra.payloads(0).include_files(), ElementsAre("jobs/read.fio"));
  EXPECT_EQ(zebra.payloads(1).name(), "load");
  EXPECT_EQ(zebra.payloads(1).binary(), "load");
  EXPECT_THAT(zebra.extra_include_files(), ElementsAre("data"));
  EXPECT_EQ(suite.tests(0).payloads_size(), 0);
}

TEST(CheckTestsTest, RefusesNamesThatAreNone) {
  EXPECT_THAT(Check({}, ""), Invalid("not empty"));
  EXPECT_THAT(Check({}, "a/b"), Invalid("f.cc:3"));
  EXPECT_THAT(Check({}, "a\\b"), Invalid("not empty"));
}

TEST(CheckTestsTest, RefusesTheSameNameTwice) {
  TestEntry entry{.name = "t", .file = "f.cc", .line = 3};
  const TestEntry* const tests[] = {&entry, &entry};
  EXPECT_THAT(CheckTests(tests), Invalid("same name"));
}

TEST(CheckTestsTest, RefusesValuesOutOfRange) {
  EXPECT_THAT(Check({.topology = {.cores = 0}}), Invalid("axis"));
  EXPECT_THAT(Check({.topology = {.numa_nodes = 2, .llcs = 3}}),
              Invalid("divisible"));
  EXPECT_THAT(Check({.topology = {.numa_nodes = 2}}), Invalid("divisible"));
  EXPECT_THAT(Check({.memory_mib = 0}), Invalid("memory_mib"));
  EXPECT_THAT(Check({.duration = std::chrono::nanoseconds(0)}),
              Invalid("duration"));
  EXPECT_THAT(Check({.workers_per_cgroup = 0}), Invalid("workers"));
  EXPECT_THAT(Check({.cleanup_budget = std::chrono::nanoseconds(0)}),
              Invalid("cleanup_budget"));
  EXPECT_THAT(Check({.constraints = {.max_cpus = 0}}), Invalid("max_*"));
  EXPECT_THAT(Check({.constraints = {.min_cpus = 5, .max_cpus = 4}}),
              Invalid("min_cpus must not exceed"));
}

// Would otherwise leave no preset at all, silently.
TEST(CheckTestsTest, RefusesAMinimumAboveADefaultMaximum) {
  EXPECT_THAT(Check({.constraints = {.min_llcs = 13}}), Invalid("max_llcs"));
  EXPECT_THAT(Check({.constraints = {.min_numa_nodes = 2}}),
              Invalid("max_numa_nodes"));
}

TEST(CheckTestsTest, RefusesExpectationsThatNobodyHas) {
  EXPECT_THAT(Check({.expect = expect(FindingKind::kTestBodyError)}),
              Invalid("expect takes no"));
  EXPECT_THAT(Check({.expect = expect(FindingKind::kStuck)
                                   .tolerate(FindingKind::kNotEvaluated)}),
              Invalid("expect takes no"));
  static constexpr SchedulerDef kNoProgram{"plain"};
  EXPECT_THAT(Check({.scheduler = &kNoProgram,
                     .expect = expect_scheduler_exit(SchedulerExit::kStall)}),
              Invalid("needs a scheduler that is a program"));
  EXPECT_OK(Check({.expect = expect_scheduler_exit(SchedulerExit::kStall)}));
}

TEST(CheckTestsTest, RefusesRepetitionsThatCannotBe) {
  EXPECT_THAT(Check({.repeat = 0}), Invalid("repeat must be 1 to 100"));
  EXPECT_THAT(Check({.repeat = 101}), Invalid("repeat must be 1 to 100"));
  EXPECT_THAT(Check({.repeat = 3, .require = 4}), Invalid("require"));
  EXPECT_THAT(Check({.repeat = 3, .require = 0}), Invalid("require"));
  EXPECT_OK(Check({.repeat = 3, .require = 2}));
}

TEST(CheckTestsTest, RefusesAQuarantineWithoutReasonOrEnd) {
  auto quarantine = [](std::string_view reason, std::string_view until) {
    return Check({.quarantine = {.reason = reason, .until = until}});
  };
  EXPECT_OK(quarantine("issue 12", "2028-02-29"));
  EXPECT_THAT(quarantine("", "2027-01-31"), Invalid("quarantine needs"));
  for (std::string_view day :
       {"", "tomorrow", "2027-02-29", "2027-13-01", "2027-00-10", "2027-1-31",
        "2027-01-32", "2027-01-00", "2027/01/31", "2027-01-31 "}) {
    EXPECT_THAT(quarantine("issue 12", day), Invalid("quarantine needs"))
        << day;
  }
}

TEST(InheritanceTest, EachFieldFallsBackToTheSchedulersAndThenToTheDefault) {
  static constexpr SchedulerDef kLarge =
      SchedulerDef("large")
          .topology({.llcs = 4, .cores = 8})
          .constraints({.min_llcs = 2, .max_cpus = 64, .requires_smt = true});
  const TestOptions options = {.scheduler = &kLarge,
                               .topology = {.cores = 3},
                               .constraints = {.max_cpus = 32}};
  const DeclaredTopology topology = TopologyOf(options);
  EXPECT_EQ(topology.numa_nodes, 1);
  EXPECT_EQ(topology.llcs, 4);
  EXPECT_EQ(topology.cores, 3);
  EXPECT_EQ(topology.threads, 1);
  const DeclaredConstraints constraints = ConstraintsOf(options);
  EXPECT_EQ(constraints.min_llcs, 2);
  EXPECT_EQ(constraints.max_llcs, 12);
  EXPECT_EQ(constraints.max_cpus, 32);
  EXPECT_EQ(constraints.requires_smt, true);
}

TEST(InheritanceTest, RulesHoldForWhatIsInherited) {
  static constexpr SchedulerDef kThree =
      SchedulerDef("three").topology({.llcs = 3});
  EXPECT_THAT(Check({.scheduler = &kThree, .topology = {.numa_nodes = 2}}),
              Invalid("llcs must be divisible"));
  static constexpr SchedulerDef kMany =
      SchedulerDef("many").constraints({.min_cpus = 8});
  EXPECT_THAT(Check({.scheduler = &kMany, .constraints = {.max_cpus = 4}}),
              Invalid("min_cpus must not exceed"));
}

TEST(CheckTestsTest, RefusesFlagsThatMakeNoSense) {
  EXPECT_THAT(Check({.required_flags = {"llc"}}), Invalid("none"));
  EXPECT_THAT(Check({.scheduler = &kScheduler, .required_flags = {"nope"}}),
              Invalid("llc, steal"));
  EXPECT_THAT(Check({.scheduler = &kScheduler,
                     .required_flags = {"llc"},
                     .excluded_flags = {"llc"}}),
              Invalid("both"));
  EXPECT_THAT(Check({.scheduler = &kScheduler,
                     .required_flags = {"steal"},
                     .excluded_flags = {"llc"}}),
              Invalid("needs \"llc\""));
}

TEST(CheckTestsTest, RefusesWhatAGuestMayNotHave) {
  auto check = [](const SchedulerDef& scheduler) {
    return Check({.scheduler = &scheduler});
  };
  const SchedulerDef base("mine", "scx_mine");
  EXPECT_OK(check(base.karg("preempt=full").sysctl("kernel.x", "4 5")));
  EXPECT_THAT(check(base.karg("console=ttyS1")),
              Invalid("f.cc:3: test t: scheduler mine: karg "
                      "\"console=ttyS1\" is reserved"));
  EXPECT_THAT(check(base.karg("a\nb")), Invalid("karg \"a\\nb\" has white"));
  SchedulerDef long_words = base;
  const std::string word(250, 'a');
  for (int i = 0; i < 5; ++i) long_words = long_words.karg(word);
  EXPECT_THAT(check(long_words), Invalid("longer than 1,024 bytes together"));
  EXPECT_THAT(check(base.sysctl("kernel", "1")), Invalid("no dot"));
  EXPECT_THAT(check(base.sysctl("kernel.x", "")), Invalid("sysctl value"));
  EXPECT_THAT(check(base.cgroup_parent("/")), Invalid("cgroup_parent \"/\""));
  EXPECT_THAT(check(base.config_file("/etc/")), Invalid("names no file"));
  EXPECT_THAT(check(base.watchdog_timeout(std::chrono::minutes(1))),
              Invalid("watchdog_timeout"));
  EXPECT_THAT(
      check(SchedulerDef("k").watchdog_timeout(std::chrono::seconds(1))),
      Invalid("is a program"));
}

// What KTSTR_TEST asserts: such a test does not compile.
constexpr SchedulerDef kReservedWord =
    SchedulerDef("mine", "scx_mine").karg("nokaslr");
constexpr SchedulerDef kRootAsParent =
    SchedulerDef("mine", "scx_mine").cgroup_parent("/");
constexpr TestOptions Under(const SchedulerDef& scheduler) {
  return {.scheduler = &scheduler};
}
static_assert(FirstBrokenRule(Under(kReservedWord)) == OptionsRule::kScheduler);
static_assert(FirstBrokenRule(Under(kRootAsParent)) == OptionsRule::kScheduler);
static_assert(FirstBrokenRule(Under(kScheduler)) == OptionsRule::kNone);

TEST(CheckTestsTest, RefusesKindsThatDoNotFit) {
  auto check = [](const SchedulerDef& scheduler) {
    return Check({.scheduler = &scheduler});
  };
  const SchedulerDef kernel = SchedulerDef("k").enable("/sys/a/b", "1");
  EXPECT_OK(check(kernel.disable("/sys/a/b", "0")));
  EXPECT_THAT(check(SchedulerDef("")), Invalid("name \"\" is empty"));
  EXPECT_THAT(check(SchedulerDef("k", "scx_k").enable("/sys/a/b", "1")),
              Invalid("is a program"));
  EXPECT_THAT(check(SchedulerDef("k").disable("/sys/a", "1")),
              Invalid("nothing is enabled"));
  EXPECT_THAT(check(kernel.enable("/etc/x", "1")), Invalid("/etc/x"));
  EXPECT_THAT(check(kernel.enable("/sys/x", "1\n2")), Invalid("control"));
  EXPECT_THAT(check(kernel.config_file("x")), Invalid("is a program"));
  EXPECT_THAT(Check({.extra_sched_args = {"-x"}}), Invalid("extra_sched_args"));
  EXPECT_THAT(Check({.scheduler = &kernel, .extra_sched_args = {"-x"}}),
              Invalid("extra_sched_args"));
}

TEST(CheckTestsTest, RefusesMapWritesThatCannotBe) {
  static constexpr SchedulerDef kPlain{"plain"};
  EXPECT_OK(Check({.bpf_map_write = {{".bss", 4, 1}}}));
  EXPECT_OK(Check({.scheduler = &kScheduler, .bpf_map_write = {{"x", 0, 0}}}));
  EXPECT_THAT(Check({.bpf_map_write = {{".bss"}, {"", 4, 1}}}),
              Invalid("bpf_map_write \"\" is empty"));
  EXPECT_THAT(Check({.bpf_map_write = {{"scx_fixtures.bss", 4, 1}}}),
              Invalid("\"scx_fixtures.bss\" is longer than 15 bytes"));
  EXPECT_THAT(Check({.bpf_map_write = {{".bss", 6, 1}}}),
              Invalid("bpf_map_write \".bss\": offset 6 is no multiple of 4"));
  EXPECT_THAT(Check({.scheduler = &kPlain, .bpf_map_write = {{".bss"}}}),
              Invalid("bpf_map_write needs a scheduler that is a program"));
}

TEST(CheckTestsTest, RefusesPayloadsByNameAndReason) {
  const PayloadDef bad = PayloadDef{"bad"}.check(PCheck::min("x", 1));
  const PayloadDef namesake = kLoad.program("other");
  EXPECT_THAT(Check({.payload = &bad}),
              Invalid("payload \"bad\" has a check of a metric, but nothing is "
                      "read"));
  EXPECT_THAT(Check({.payload = &kLoad, .workloads = {&namesake}}),
              Invalid("two payloads of it have one name"));
  EXPECT_OK(Check({.payload = &kLoad, .workloads = {&kLoad}}));
}

TEST(CheckTestsTest, RefusesFlagsThatAreNotOnTheScheduler) {
  auto check = [](const SchedulerDef& scheduler) {
    return Check({.scheduler = &scheduler});
  };
  const SchedulerDef base("mine", "scx_mine");
  EXPECT_THAT(check(base.flag({.name = "a"}).flag({.name = "a"})),
              Invalid("\"a\" is declared twice"));
  EXPECT_THAT(check(base.flag({.name = "a", .requires_flags = {"b"}})),
              Invalid("requires \"b\", which it does not declare"));
}

TEST(RegistryTest, FindsByExactName) {
  EXPECT_NE(FindTest(LinkedTests(), "apple"), nullptr);
  EXPECT_EQ(FindTest(LinkedTests(), "appl"), nullptr);
}

}  // namespace
}  // namespace internal
}  // namespace ktstr
