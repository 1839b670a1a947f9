// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "model/machine_spec.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/json_fields.h"
#include "model/machine_details_json.h"
#include "nlohmann/json.hpp"

namespace ktstr {
namespace {

using ::nlohmann::json;

constexpr std::pair<MachineEnd, absl::string_view> kEndNames[] = {
    {MachineEnd::kPowerOff, "power-off"},
    {MachineEnd::kReset, "reset"},
    {MachineEnd::kTripleFault, "triple-fault"},
    {MachineEnd::kDeadline, "deadline"},
    {MachineEnd::kStopped, "stopped"},
    {MachineEnd::kEntryFailure, "entry-failure"},
    {MachineEnd::kInternalError, "internal-error"},
    {MachineEnd::kSetupFailure, "setup-failure"},
    {MachineEnd::kUnmetPrecondition, "unmet-precondition"},
};

constexpr std::pair<ConsoleDevice, absl::string_view> kConsoleNames[] = {
    {ConsoleDevice::kSerial, "serial"},
    {ConsoleDevice::kVirtio, "virtio"},
};

constexpr int kMaxFd = 1 << 20;
constexpr int64_t kMaxMemoryMib = int64_t{1} << 22;   // 4 TiB
constexpr int64_t kMaxDeadlineMs = int64_t{1} << 40;  // decades
constexpr int64_t kMaxCid = 0xFFFFFFFE;               // VMADDR_CID_ANY - 1

// nlohmann's parser without exceptions: a discarded value on bad input.
json ParseJson(absl::string_view text) {
  return json::parse(text.begin(), text.end(), nullptr,
                     /*allow_exceptions=*/false);
}

absl::Status ReadFd(absl::string_view key, const json& value, int& fd) {
  ABSL_ASSIGN_OR_RETURN(fd, IntegerIn(key, value, -1, kMaxFd));
  return absl::OkStatus();
}

absl::Status ReadConsole(absl::string_view key, const json& value,
                         ConsoleDevice& console) {
  ABSL_ASSIGN_OR_RETURN(std::string text, Text(key, value));
  for (const auto& [device, name] : kConsoleNames) {
    if (name != text) continue;
    console = device;
    return absl::OkStatus();
  }
  return BadKey(key, "\"serial\" or \"virtio\"");
}

absl::string_view ConsoleName(ConsoleDevice console) {
  for (const auto& [device, name] : kConsoleNames) {
    if (device == console) return name;
  }
  return "";
}

absl::Status ReadKey(const std::string& key, const json& value,
                     MachineSpec& spec) {
  if (key == "topology") {
    ABSL_ASSIGN_OR_RETURN(std::string text, Text(key, value));
    ABSL_ASSIGN_OR_RETURN(spec.topology, Topology::Parse(text));
  } else if (key == "memory_mib") {
    ABSL_ASSIGN_OR_RETURN(spec.memory_mib,
                          IntegerIn(key, value, 1, kMaxMemoryMib));
  } else if (key == "kernel_fd") {
    return ReadFd(key, value, spec.kernel_fd);
  } else if (key == "initrd_fds") {
    if (!value.is_array() || value.size() > 16) {
      return BadKey(key, "an array of at most 16 descriptors");
    }
    for (const json& item : value) {
      ABSL_RETURN_IF_ERROR(ReadFd(key, item, spec.initrd_fds.emplace_back()));
    }
  } else if (key == "cmdline") {
    ABSL_ASSIGN_OR_RETURN(spec.cmdline, Text(key, value));
  } else if (key == "console") {
    return ReadConsole(key, value, spec.console);
  } else if (key == "console_fd") {
    return ReadFd(key, value, spec.console_fd);
  } else if (key == "report_fd") {
    return ReadFd(key, value, spec.report_fd);
  } else if (key == "control_fd") {
    return ReadFd(key, value, spec.control_fd);
  } else if (key == "shares_memory") {
    if (!value.is_boolean()) return BadKey(key, "true or false");
    spec.shares_memory = value.get<bool>();
  } else if (key == "vsock_path") {
    ABSL_ASSIGN_OR_RETURN(spec.vsock_path, Text(key, value));
  } else if (key == "vsock_cid") {
    ABSL_ASSIGN_OR_RETURN(spec.vsock_cid, IntegerIn(key, value, 3, kMaxCid));
  } else if (key == "performance") {
    ABSL_ASSIGN_OR_RETURN(spec.performance, ReadPerformanceSpec(value));
  } else if (key == "deadline_ms") {
    ABSL_ASSIGN_OR_RETURN(int64_t ms, IntegerIn(key, value, 0, kMaxDeadlineMs));
    spec.deadline = absl::Milliseconds(ms);
  } else {
    ABSL_ASSIGN_OR_RETURN(bool is_known,
                          ReadMachineDetail(key, value, spec.details));
    if (!is_known) return UnknownKey(key);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MachineSpec> ParseMachineSpec(absl::string_view text) {
  json object = ParseJson(text);
  if (!object.is_object()) {
    return absl::InvalidArgumentError(
        "machine description: not one JSON object");
  }
  MachineSpec spec;
  for (const auto& [key, value] : object.items()) {
    ABSL_RETURN_IF_ERROR(ReadKey(key, value, spec));
  }
  ABSL_RETURN_IF_ERROR(
      MachineTopology::Create(spec.topology, spec.memory_mib, spec.details)
          .status());
  if (spec.performance) {
    const int nodes = spec.details.nodes.empty()
                          ? spec.topology.nodes()
                          : int(spec.details.nodes.size());
    ABSL_RETURN_IF_ERROR(
        CheckPerformanceSpec(*spec.performance, spec.topology.cpus(), nodes));
  }
  return spec;
}

std::string FormatMachineSpec(const MachineSpec& spec) {
  json object = {
      {"topology", spec.topology.ToString()},
      {"memory_mib", spec.memory_mib},
      {"kernel_fd", spec.kernel_fd},
      {"initrd_fds", spec.initrd_fds},
      {"cmdline", spec.cmdline},
      {"console", std::string(ConsoleName(spec.console))},
      {"console_fd", spec.console_fd},
      {"report_fd", spec.report_fd},
      {"control_fd", spec.control_fd},
      {"shares_memory", spec.shares_memory},
      {"vsock_path", spec.vsock_path},
      {"vsock_cid", spec.vsock_cid},
      {"deadline_ms", absl::ToInt64Milliseconds(spec.deadline)},
  };
  WriteMachineDetails(spec.details, object);
  if (spec.performance) {
    object["performance"] = PerformanceSpecJson(*spec.performance);
  }
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

absl::string_view MachineEndName(MachineEnd end) {
  for (const auto& [value, name] : kEndNames) {
    if (value == end) return name;
  }
  return "unspecified";
}

absl::StatusOr<MachineEvent> ParseMachineEvent(absl::string_view line) {
  json object = ParseJson(line);
  if (!object.is_object() || !object.contains("event") ||
      !object["event"].is_string() || !object.contains("at_us") ||
      !object["at_us"].is_number_integer()) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a machine event: ", line.substr(0, 200)));
  }
  MachineEvent event;
  event.name = object["event"].get<std::string>();
  event.at = absl::Microseconds(object["at_us"].get<int64_t>());
  if (event.name == "end") {
    std::string kind = object.value("kind", json("")).is_string()
                           ? object.value("kind", "")
                           : "";
    for (const auto& [value, name] : kEndNames) {
      if (name == kind) event.end = value;
    }
  }
  if (object.contains("detail") && object["detail"].is_string()) {
    event.detail = object["detail"].get<std::string>();
  }
  if (object.contains("tids") && object["tids"].is_array()) {
    for (const json& tid : object["tids"]) {
      if (tid.is_number_integer()) event.tids.push_back(tid.get<int>());
    }
  }
  return event;
}

std::string FormatMachineEvent(const MachineEvent& event) {
  json object = {{"event", event.name},
                 {"at_us", absl::ToInt64Microseconds(event.at)}};
  if (event.end != MachineEnd::kUnspecified) {
    object["kind"] = std::string(MachineEndName(event.end));
  }
  if (event.end != MachineEnd::kUnspecified || !event.detail.empty()) {
    object["detail"] = event.detail;
  }
  if (!event.tids.empty()) object["tids"] = event.tids;
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace ktstr
