// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/variant_json.h"

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "proto/fleet.pb.h"

namespace ktstr::results {
namespace {

using ::nlohmann::json;

v1::Variant MakeVariant() {
  v1::Variant variant;
  variant.set_index(3);
  variant.set_epoch(2);
  variant.add_missed("host lost");
  v1::VariantSpec& spec = *variant.mutable_spec();
  spec.set_name("gauntlet/steady/tiny-2llc/llc+steal");
  spec.set_test("steady");
  spec.set_preset("tiny-2llc");
  spec.set_topology("1n2l2c1t");
  spec.add_flags("llc");
  spec.add_flags("steal");
  spec.mutable_scheduler()->set_name("scx_simple");
  spec.mutable_kernel()->set_label("kernel_6_12");
  spec.mutable_kernel()->set_version("6.12.1");
  spec.set_work_type("YieldHeavy");
  variant.mutable_result()->mutable_cleanup_time()->set_nanos(1500000);
  spec.set_seed(18446744073709551615u);
  v1::AttemptResult& result = *variant.mutable_result();
  result.set_outcome(v1::FAIL);
  result.set_guest_kernel_release("6.12.117");
  result.mutable_started_at()->set_seconds(1000000000);
  result.mutable_wall_time()->set_seconds(1);
  result.mutable_wall_time()->set_nanos(500000000);
  v1::PhaseEvidence& phase = *result.add_phases();
  phase.set_phase(v1::HELLO);
  phase.mutable_since_start()->set_nanos(1234567);
  v1::BootStep& step = *result.add_boot_steps();
  step.set_name("vcpus");
  step.mutable_since_start()->set_nanos(7654321);
  for (double spread : {10.0, 30.0}) {
    v1::GroupStats& group = *result.add_groups();
    group.set_cgroup("cg");
    group.set_workers(2);
    group.set_iterations(100);
    group.set_spread_pct(spread);
    group.set_max_gap_ms(spread * 2);
    group.set_max_gap_cpu(static_cast<int>(spread));
  }
  return variant;
}

json Format(const v1::Variant& variant) {
  return json::parse(
      VariantJson(variant, {.run_id = "r1"}, {.console = "x.console.log"},
                  absl::FromUnixSeconds(1000000001)),
      nullptr, false);
}

TEST(VariantJsonTest, NodesOfAMachineAreInIt) {
  v1::Variant variant = MakeVariant();
  v1::MachineLayout& machine = *variant.mutable_spec()->mutable_machine();
  machine.add_nodes()->set_llcs(2);
  machine.add_nodes()->set_memory_mib(256);
  for (int distance : {10, 17, 17, 10}) machine.add_distances(distance);
  const json out = Format(variant);
  EXPECT_EQ(out["machine"]["nodes"][0]["llcs"], 2);
  EXPECT_EQ(out["machine"]["nodes"][1]["memory_mib"], 256);
  EXPECT_EQ(out["machine"]["distances"], json({10, 17, 17, 10}));
}

TEST(VariantJsonTest, StoresTheEffectiveVariant) {
  json out = Format(MakeVariant());
  EXPECT_EQ(out["run_id"], "r1");
  EXPECT_EQ(out["test_name"], "steady");
  EXPECT_EQ(out["topology"], "1n2l2c1t");
  EXPECT_TRUE(out["machine"].is_null());
  EXPECT_EQ(out["active_flags"], json({"llc", "steal"}));
  EXPECT_EQ(out["work_type"], "YieldHeavy");
  EXPECT_EQ(out["cleanup_duration_ms"], 1.5);
  EXPECT_EQ(out["seed"], "18446744073709551615");
  EXPECT_EQ(out["kernel_version"], "6.12.117");
  EXPECT_EQ(out["attempt_epoch"], 2);
  EXPECT_EQ(out["missed"], json({"host lost"}));
}

TEST(VariantJsonTest, TellsWhereTheSchedulerWasFoundAndWhatItAskedFor) {
  v1::Variant variant = MakeVariant();
  v1::SchedulerSpec& scheduler = *variant.mutable_spec()->mutable_scheduler();
  EXPECT_TRUE(Format(variant)["scheduler_origin"].is_null());
  EXPECT_TRUE(Format(variant)["scheduler_setup"].is_null());
  scheduler.set_origin(v1::BESIDE_SUITE);
  scheduler.set_found_at("out/scx_simple");
  scheduler.mutable_setup()->add_kargs("preempt=full");
  v1::Sysctl& sysctl = *scheduler.mutable_setup()->add_sysctls();
  sysctl.set_key("kernel.x");
  sysctl.set_value("1");
  json out = Format(variant);
  EXPECT_EQ(out["scheduler_origin"], "BESIDE_SUITE");
  EXPECT_EQ(out["scheduler_found_at"], "out/scx_simple");
  EXPECT_EQ(out["scheduler_setup"]["kargs"], json({"preempt=full"}));
  EXPECT_EQ(out["scheduler_setup"]["sysctls"][0]["key"], "kernel.x");
  EXPECT_TRUE(out["scheduler_setup"]["cgroup_parent"].is_null());
}

TEST(VariantJsonTest, TellsWhatIsWrittenIntoMaps) {
  v1::Variant variant = MakeVariant();
  EXPECT_EQ(Format(variant)["bpf_map_writes"], json::array());
  v1::BpfMapWrite& write = *variant.mutable_spec()->add_bpf_map_writes();
  write.set_map_suffix(".bss");
  write.set_offset(8);
  write.set_value(0xffffffff);
  EXPECT_EQ(Format(variant)["bpf_map_writes"],
            json::parse(R"([{"map_suffix": ".bss", "offset": 8,
                             "value": 4294967295}])"));
}

TEST(VariantJsonTest, TellsTheOutcome) {
  json out = Format(MakeVariant());
  EXPECT_EQ(out["outcome"], "FAIL");
  EXPECT_EQ(out["passed"], false);
  EXPECT_EQ(out["started_at"], "2001-09-09T01:46:40.000Z");
  EXPECT_EQ(out["wall_time_ms"], 1500.0);
  EXPECT_EQ(out["phases"][0]["phase"], "HELLO");
  EXPECT_EQ(out["phases"][0]["since_start_ms"], 1.235);
  EXPECT_EQ(out["boot_steps"][0]["step"], "vcpus");
  EXPECT_EQ(out["boot_steps"][0]["since_start_ms"], 7.654);
  EXPECT_EQ(out["logs"]["console"], "x.console.log");
  EXPECT_EQ(out["logs"]["test"], nullptr);
}

TEST(VariantJsonTest, TellsWhyTheSchedulerIsGone) {
  v1::Variant variant = MakeVariant();
  EXPECT_TRUE(Format(variant)["scheduler_exit"].is_null());
  v1::SchedulerExit& exit = *variant.mutable_result()->mutable_scheduler_exit();
  exit.set_kind(v1::EXIT_ERROR_STALL);
  exit.set_reason("runnable task stall");
  exit.add_backtrace("frame+0x1/0x2");
  exit.mutable_stalled_task()->set_comm("w");
  exit.mutable_stalled_task()->set_pid(7);
  exit.mutable_stalled_task()->mutable_waited()->set_seconds(2);
  json out = Format(variant)["scheduler_exit"];
  EXPECT_EQ(out["kind"], "ERROR_STALL");
  EXPECT_EQ(out["reason"], "runnable task stall");
  EXPECT_EQ(out["ops"], nullptr);
  EXPECT_EQ(out["message"], nullptr);
  EXPECT_EQ(out["backtrace"], json({"frame+0x1/0x2"}));
  EXPECT_EQ(out["stalled_task"],
            json({{"comm", "w"}, {"pid", 7}, {"waited_ms", 2000.0}}));
  exit.clear_stalled_task();
  EXPECT_EQ(Format(variant)["scheduler_exit"]["stalled_task"], nullptr);
}

TEST(VariantJsonTest, TellsStepsMeasurementsAndRunsOfTheScheduler) {
  v1::Variant variant = MakeVariant();
  v1::AttemptResult& result = *variant.mutable_result();
  v1::Stimulus& step = *result.add_stimuli();
  step.set_op_kinds(1u << 2);
  v1::Stimulus& end = *result.add_stimuli();
  end.mutable_elapsed()->set_seconds(2);
  end.set_ended_iterations(100);
  end.set_is_end(true);
  v1::Measurement& measurement = *result.add_measurements();
  measurement.set_name("depth");
  measurement.set_value(3);
  measurement.set_polarity(v1::TARGET_VALUE);
  measurement.set_target(2.5);
  v1::SchedulerRun& run = *result.add_scheduler_runs();
  run.add_args("-v");
  run.set_ended_by_test(true);
  const json out = Format(variant);
  ASSERT_EQ(out["stimulus_events"].size(), 1u);
  EXPECT_EQ(out["stimulus_events"][0]["actions"], json({"set_cpuset"}));
  EXPECT_EQ(out["stimulus_events"][0]["iteration_rate"], 50);
  EXPECT_TRUE(out["stimulus_events"][0]["iteration_rate_change_pct"].is_null());
  EXPECT_EQ(out["measurements"], json({{{"name", "depth"},
                                        {"value", 3.0},
                                        {"unit", nullptr},
                                        {"polarity", "TARGET_VALUE"},
                                        {"target", 2.5}}}));
  EXPECT_EQ(out["scheduler_runs"][0]["args"], json({"-v"}));
  EXPECT_EQ(out["scheduler_runs"][0]["ended_by_test"], true);
  EXPECT_TRUE(out["scheduler_runs"][0]["exit"].is_null());
}

TEST(VariantJsonTest, RollsGroupsUpToTheWorst) {
  json stats = Format(MakeVariant())["stats"];
  EXPECT_EQ(stats["total_workers"], 4);
  EXPECT_EQ(stats["worst_spread"], 30.0);
  EXPECT_EQ(stats["worst_gap_ms"], 60.0);
  EXPECT_EQ(stats["worst_gap_cpu"], 30);
  EXPECT_EQ(stats["worst_iterations_per_worker"], 50.0);
  EXPECT_EQ(stats["cgroups"].size(), 2u);
}

TEST(VariantJsonTest, LeastLocalPagesAreTheWorst) {
  v1::Variant variant = MakeVariant();
  v1::AttemptResult& result = *variant.mutable_result();
  result.mutable_groups(0)->set_page_locality(0.25);
  result.mutable_groups(0)->set_cross_node_migration_ratio(0.5);
  result.mutable_groups(1)->set_page_locality(1);
  json stats = Format(variant)["stats"];
  EXPECT_EQ(stats["worst_page_locality"], 0.25);
  EXPECT_EQ(stats["worst_cross_node_migration_ratio"], 0.5);
  EXPECT_EQ(stats["cgroups"][1]["page_locality"], 1.0);
  EXPECT_TRUE(stats["cgroups"][1]["cross_node_migration_ratio"].is_null());
}

TEST(VariantJsonTest, WritesNullForWhatWasNotMeasured) {
  json out = Format(MakeVariant());
  EXPECT_TRUE(out["stats"]["worst_p99_wake_latency_us"].is_null());
  EXPECT_TRUE(out["stats"]["cgroups"][0]["p99_wake_latency_us"].is_null());
  EXPECT_TRUE(out["monitor"].is_null());
  EXPECT_TRUE(out["host"].is_null());
  v1::Variant empty;
  EXPECT_TRUE(Format(empty)["stats"].is_null());
  EXPECT_TRUE(Format(empty)["attempt_epoch"].is_null());
  EXPECT_TRUE(Format(empty)["wall_time_ms"].is_null());
}

TEST(VariantJsonTest, AlwaysHasTheSameKeys) {
  json full = Format(MakeVariant());
  json empty = Format(v1::Variant());
  for (const auto& [key, value] : full.items()) {
    EXPECT_TRUE(empty.contains(key)) << key;
  }
}

TEST(VariantJsonTest, SurvivesHostileText) {
  v1::Variant variant = MakeVariant();
  std::string hostile("\x1b\"\\\xff\0{", 6);
  variant.mutable_result()->set_reason(hostile);
  variant.mutable_result()->add_findings()->set_message(hostile);
  json out = Format(variant);
  ASSERT_TRUE(out.is_object());
  EXPECT_EQ(out["reason"], std::string("\x1b\"\\\xEF\xBF\xBD\0{", 8));
}

TEST(VariantJsonTest, VerifierStatsAreNullOrWhatTheKernelSaid) {
  v1::Variant variant = MakeVariant();
  EXPECT_TRUE(Format(variant)["verifier_stats"].is_null());
  v1::BpfProgram& program =
      *variant.mutable_result()->mutable_bpf_programs()->add_programs();
  program.set_name("enqueue");
  program.set_verified_insns(120);
  EXPECT_EQ(Format(variant)["verifier_stats"]["programs"][0]["verified_insns"],
            120);
}

}  // namespace
}  // namespace ktstr::results
